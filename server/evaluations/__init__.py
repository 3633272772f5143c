"""Evaluations and their case runs: the queue, the leases, the verdicts and the scores."""
