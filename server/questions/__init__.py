"""Questions of teams to the organizers, their answers, and what organizers announce."""
