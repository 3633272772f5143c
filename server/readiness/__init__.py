"""Whether a challenge is ready to open: what every part of the platform knows of it, in one list."""
