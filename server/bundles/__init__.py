"""Bundles of a phase's results: what a paper and a reviewer need, in one archive."""
