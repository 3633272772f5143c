"""Measurements, each against a named alternative in the same run on the same machine.

Every module beside this one whose name has no underscore is a benchmark: its `run()` returns comparisons.
"""
