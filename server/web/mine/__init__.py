"""Pages of people who are signed in: their account, their team, what they sent."""
