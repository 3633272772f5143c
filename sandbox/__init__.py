"""Runs strangers' images: archive check, container options, one case at a time; no other package uses Docker."""
