"""Submissions: a team's images for some tasks, on one track, in one phase."""
