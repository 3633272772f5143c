"""Plans: what applying a challenge file would change for all that stands on the present one, and applying it."""
