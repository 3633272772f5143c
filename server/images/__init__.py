"""Images: what archives became that passed their check."""
