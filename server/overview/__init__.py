"""A challenge on one screen, for its organizers."""
