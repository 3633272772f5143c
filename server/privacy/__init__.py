"""What is kept of a person: given out to them, and erased."""
