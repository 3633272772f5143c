"""Figures that are looked up when Prometheus asks."""
