"""Synthetic multi-site brain MRI with real anatomy and known truth."""

from demo.brains.cases import make_case
from demo.brains.layout import write_dataset, write_pretraining
from demo.brains.model import BrainCase, Split, Volume
from demo.brains.sheet import contact_sheet

__all__ = ["BrainCase", "Split", "Volume", "contact_sheet", "make_case", "write_dataset", "write_pretraining"]
