"""Challenges and the versions of their files."""
