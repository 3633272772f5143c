"""Amendments: what was changed after people could rely on it, and what of a phase is fixed before it opens."""
