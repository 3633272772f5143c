"""One self-contained HTML file about a challenge's results: tables and plots, readable offline and on paper."""

from evaluator.report._page import render
from evaluator.report._read import Entry, read_entries

__all__ = ["Entry", "read_entries", "render"]
