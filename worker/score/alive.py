"""A score worker's sign of life: a file that its own loop touches, for a health check."""

from pathlib import Path
from typing import Any

from celery import Celery, bootsteps

EVERY = 5.0


def show_life(app: Celery, file: Path) -> None:
    """Has the worker of `app` touch `file` every five seconds from when it listens to the broker until it stops.

    The loop that receives messages does it: so not while it hangs, is stopped, or waits for a broker that is away.
    """

    class _Alive(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        requires = ("celery.worker.components:Timer",)

        def start(self, parent: Any) -> None:
            file.touch()
            self._timer = parent.timer.call_repeatedly(EVERY, file.touch)

        def stop(self, parent: Any) -> None:
            self._timer.cancel()
            file.unlink(missing_ok=True)

    app.steps["worker"].add(_Alive)
