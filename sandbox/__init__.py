"""Runs strangers' images: archive check, container options, one case at a time. All of Docker is in here."""
