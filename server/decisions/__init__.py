"""What organizers decide about teams, their attempts and their entries, with what it changes shown first."""
