"""Leaderboards: ranks are computed from scores when asked for, and never stored."""
