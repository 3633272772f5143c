"""What is stored: what a team has of it and may remove, and removing whatever nothing refers to any more."""
