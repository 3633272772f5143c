"""What organizers decide about a phase: its dates, the release of its leaderboard, promises about its labels."""
