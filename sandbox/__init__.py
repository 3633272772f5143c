"""Runs strangers' images: archive check, container options, one case at a time. Engines are in `sandbox.engines`."""
