"""The Celery side of a run worker: wake-ups in, signals to stop, and the host's reaper.

The first signal lets the cases under way end, the second hands them back at once.

The task only rings a bell, and cases run in the slot's own thread. A task that ran them itself would leave the
next wake-ups unread in their socket, and Celery's event loop would spin on it for as long as the case runs.
"""

import os
import threading
from functools import cache
from typing import Any

import structlog
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state

from contract.logs import configure
from contract.metrics import listen
from contract.wakeups import RUN_QUEUE, WAKE_RUN
from worker.app import make_app
from worker.run.bearer import REFUSED
from worker.run.config import RunConfig
from worker.run.runner import Runner

_ENDS_WITHIN = 15.0

app = make_app("worker.run.tasks")
_log = structlog.get_logger()


@cache
def runner() -> Runner:
    """This process's slot."""
    return Runner(RunConfig(), os.environ.get("PROCTOR_SLOT_NAME", "run"))  # type: ignore[call-arg]


@cache
def _slot_thread() -> threading.Thread:
    return threading.Thread(target=_work, args=[runner()], name="slot")


def _work(slot: Runner) -> None:
    slot.work()
    if slot.refused:
        # Celery ends with this code at its next look; one that waits for a broker would look no more.
        state.should_stop = REFUSED
        late = threading.Timer(_ENDS_WITHIN, os._exit, [REFUSED])
        late.daemon = True
        late.start()


@app.task(name=WAKE_RUN, queue=RUN_QUEUE)  # type: ignore[untyped-decorator]
def wake() -> None:
    """Cases may wait."""
    runner().wake()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(**_: Any) -> None:
    configure()
    listen(runner().metrics_address)
    _slot_thread().start()
    threading.Thread(target=runner().keep_reaping, name="reaper", daemon=True).start()
    _log.info("run_worker_ready")


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _shutting_down(**_: Any) -> None:
    if runner().stopping.is_set():
        runner().stop_now()
    else:
        runner().stop()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def _shut_down(**_: Any) -> None:
    if _slot_thread().is_alive():
        _slot_thread().join()  # the case under way is finished first
