"""Evaluations: the life of one, from its case runs over verdicts, faults and scoring to its receipt."""
