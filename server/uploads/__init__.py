"""Uploads: archives that come in pieces (tus), and their check, of which an image comes or a reason why not."""
