"""The Celery side of a run worker: wake-ups in, signals for a graceful stop, and the host's reaper."""

import os
import threading
from functools import cache
from typing import Any

import structlog
from celery.signals import worker_ready, worker_shutting_down

from worker.app import RUN_QUEUE, WAKE_RUN, make_app
from worker.run.config import RunConfig
from worker.run.runner import Runner

_REAP_EVERY = 60.0

app = make_app("worker.run.tasks")
_log = structlog.get_logger()


@cache
def runner() -> Runner:
    """This process's slot."""
    return Runner(RunConfig(), os.environ.get("PROCTOR_SLOT_NAME", "run"))  # type: ignore[call-arg]


@app.task(name=WAKE_RUN, queue=RUN_QUEUE)  # type: ignore[untyped-decorator]
def wake() -> None:
    """Cases may wait: run them until none does."""
    runner().drain()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: Any) -> None:
    threading.Thread(target=_reap, name="reaper", daemon=True).start()
    _log.info("run_worker_ready")


def _reap() -> None:
    slot = runner()
    while True:
        slot.remove_orphans()
        if slot.stopping.wait(_REAP_EVERY):
            return


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _shutting_down(**_: Any) -> None:
    # A warm shutdown waits for the task under way; this makes it leave after the present case.
    runner().stopping.set()
