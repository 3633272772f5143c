"""Running strangers' images: archive check, container options, one case at a time. The only package with Docker."""
