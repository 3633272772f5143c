"""Lists and decisions of admins, across the other features."""
