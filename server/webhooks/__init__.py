"""Webhooks: addresses of teams, organizers and admins that are told of what happens, signed."""
