"""Synthetic multi-site brain MRI with real anatomy and known truth (docstring follows)."""

from demo.brains.cases import make_case
from demo.brains.model import BrainCase, Split, Volume

__all__ = ["BrainCase", "Split", "Volume", "make_case"]
