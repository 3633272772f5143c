"""Uploads: archives that come in pieces (tus), until all their bytes are here."""
