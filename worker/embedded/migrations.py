"""Bring a database to the schema of this checkout."""

import os
import subprocess
import sys

from worker.embedded.data import CHECKOUT
from worker.embedded.process import ServiceError


def migrate(database_url: str, *, restoring: bool = False) -> None:
    """Run `alembic upgrade head`, as its own process, so its settings and logging stay out of ours.

    restoring: it is a step of the restore that is under way there, during which nobody else may.

    Raises `ServiceError` with Alembic's last words.
    """
    # In an image the packages are in a folder that PYTHONPATH alone names.
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    ours = {"PROCTOR_RESTORING": "1"} if restoring else {}
    outcome = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": path} | ours,
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise ServiceError(f"The migrations failed:\n{(outcome.stdout + outcome.stderr)[-2000:]}")
