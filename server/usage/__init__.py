"""What teams use of what they may, for organizers."""
