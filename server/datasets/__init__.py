"""Datasets: hidden or public cases of one task in one phase, as two trees that never mix."""
