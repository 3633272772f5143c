"""Re-evaluation: evaluations made anew beside those in force, looked at, and brought into force all at once or not."""
