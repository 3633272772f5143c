"""Teams: their members, invitations, and what an admin says of them."""
