"""`python -m worker.admin` is `proctor-admin`, without an installation."""

from worker.admin.main import main

main()
