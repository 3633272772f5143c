"""Who organizes which challenge."""
