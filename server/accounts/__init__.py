"""Accounts: who people are and how others know them, what their tokens may do, and what is counted against guessing."""
