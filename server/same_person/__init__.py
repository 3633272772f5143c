"""What suggests that several accounts are one person's: shown to organizers, and nothing follows from it by itself."""
