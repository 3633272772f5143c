"""The control room of a challenge: what organizers see and decide, as pages."""
