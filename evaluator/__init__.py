"""Proctor's evaluator: output checks, metrics, the probe and the ranking, without database, web or Docker."""
