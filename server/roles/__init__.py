"""Who organizes or observes which challenge: named, listed, and taken back."""
