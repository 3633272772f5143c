"""Submissions as they go on: event streams, each fed with what `GET` of its submission would say."""
