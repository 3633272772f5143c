"""PostgreSQL and Redis without an installation: the servers inside two wheels, under our own supervisor."""
