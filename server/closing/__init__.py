"""Closing accounts: it ends what accounts hold and what teams hold of them, so it stands on both."""
