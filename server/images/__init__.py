"""Images: archives that passed their check, and how uploads take turns for it."""
