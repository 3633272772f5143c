"""Pages that need no script and nothing from outside this installation."""
