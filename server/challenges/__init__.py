"""Challenges: what an organizer's file says, kept in every version that was in force."""
