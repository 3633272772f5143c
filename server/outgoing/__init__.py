"""What a notice becomes outside the platform, and what follows from messages that nobody takes."""
