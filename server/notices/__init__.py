"""Notices: what happened that concerns somebody, read in the platform and sent by the channels they want."""
