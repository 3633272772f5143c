"""What stands behind a leaderboard: how sure places are, entries beside each other, and what single cases gave."""
