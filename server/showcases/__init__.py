"""Challenges that ended elsewhere, shown from what was published of them."""
