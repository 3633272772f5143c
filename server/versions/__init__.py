"""Versions of the cases: which there are, what bringing one into force does to evaluations, and dropping them."""
