"""A slot without a broker: the server wakes it, signals stop it, and it ends by itself where nothing waits for long.

The first SIGTERM or SIGINT lets the cases under way end, for as long as its grace lasts; one that comes more than a
second later hands them back at once. A batch system may send the same signal several times at the same moment.
"""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog

from contract.logs import configure
from contract.metrics import listen
from worker.run.bearer import REFUSED
from worker.run.runner import Runner

_LOOK_EVERY = 0.2
_SAME_SIGNAL = 1.0

_log = structlog.get_logger()


class Signals:
    """SIGTERM and SIGINT, counted; those within a second of the last one are the same."""

    def __init__(self) -> None:
        self.count = 0
        self._last = float("-inf")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        # Nothing but this: a handler that takes a lock may interrupt whoever holds it.
        now = time.monotonic()
        if now - self._last > _SAME_SIGNAL:
            self.count += 1
        self._last = now


@dataclass(frozen=True)
class Terms:
    """When a slot ends: after so many seconds without a case, and how long its cases may go on once it is told to.

    until_idle: None is never. busy: a file that is touched while any slot that shares it has a case; then none of
    them is idle.
    """

    until_idle: float | None = None
    grace: Callable[[], float | None] = lambda: None
    busy: Path | None = None


def serve(slot: Runner, terms: Terms, signals: Signals, *, took_over: bool = False) -> int:
    """Runs the slot until it ends; the exit code of its process.

    took_over: an earlier process that had the slot was killed, and what it held is to be handed back first.
    """
    configure()
    listen(slot.metrics_address)
    if took_over:
        slot.take_over()
    work = threading.Thread(target=slot.work, name="slot")
    work.start()
    for name, target in (("polling", slot.poll), ("reaper", slot.keep_reaping)):
        threading.Thread(target=target, name=name, daemon=True).start()
    _log.info("run_worker_ready", broker=False)
    heeded = 0
    while work.is_alive():
        work.join(_LOOK_EVERY)
        if signals.count > heeded:
            _heed(slot, terms, first=heeded == 0)
            heeded = signals.count
        elif not slot.stopping.is_set() and _is_idle(slot, terms):
            _log.info("idle", why=f"No case came within {terms.until_idle:g} s, so this worker ends.")
            slot.stop()
    if slot.refused:
        return REFUSED
    return 0 if slot.stopping.is_set() else 1


def _heed(slot: Runner, terms: Terms, *, first: bool) -> None:
    if not first:
        slot.stop_now()
        return
    grace = terms.grace()
    _log.info("stopping", idle=slot.idle_seconds > 0, grace_seconds=grace)
    slot.stop(grace)


def _is_idle(slot: Runner, terms: Terms) -> bool:
    if terms.until_idle is None:
        return False
    idle = slot.idle_seconds
    if terms.busy is not None:
        if idle == 0.0:
            terms.busy.touch()
        with suppress(FileNotFoundError):  # somebody cleans up temporary files
            idle = min(idle, max(0.0, time.time() - terms.busy.stat().st_mtime))
    return idle >= terms.until_idle
