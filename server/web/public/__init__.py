"""Pages that anybody may see: challenges, questions and leaderboards."""
