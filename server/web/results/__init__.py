"""Pages of what stands behind a board: how sure places are, entries compared, what single cases gave."""
