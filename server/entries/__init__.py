"""What stands behind an entry of a leaderboard."""
