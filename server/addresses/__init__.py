"""Addresses: registered, shown to be somebody's, changed for another, and written to where a password is forgotten."""
