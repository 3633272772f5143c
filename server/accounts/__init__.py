"""Accounts: who people are, what their tokens may do, and what is counted against guessing."""
