"""`proctor-admin`: what the person who runs the platform types."""
