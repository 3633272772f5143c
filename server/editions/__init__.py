"""Editions of a released leaderboard: its places as they were shown, kept at the release and when an act changes it."""
