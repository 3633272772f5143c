"""The catalog: the challenges as everybody sees them, with the tasks that can be submitted to."""
