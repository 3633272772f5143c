"""What turns submissions into results: run workers, score workers, beat and the supervisor."""
