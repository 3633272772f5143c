"""Proctor's server: the REST API, the lease API of run workers, the leaderboard and its page."""
