"""One self-contained HTML file about a challenge's results: tables and plots, readable offline and on paper."""

from evaluator.report._page import Documents, documents, render

__all__ = ["Documents", "documents", "render"]
