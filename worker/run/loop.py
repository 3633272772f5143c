"""The loop of one slot: run what was made ready, until no case waits."""

import threading
import time

from worker.run.answers import Answers
from worker.run.cases import LeasedBatch
from worker.run.fresh import FreshRuns
from worker.run.host_check import HostCheck
from worker.run.prefetch import Prefetch
from worker.run.readiness import Readiness
from worker.run.serve import Serving

_KEPT_WAITING = 2.0


class SlotLoop:
    """Runs batch after batch.

    While a batch of cases runs, the next one is leased and prepared and the last one is settled, each in threads of
    their own; only running takes what the slot has.
    """

    def __init__(
        self,
        host_check: HostCheck,
        readiness: Readiness,
        answers: Answers,
        prefetch: Prefetch,
        fresh: FreshRuns,
        serving: Serving,
        *,
        stopping: threading.Event,
    ) -> None:
        self._host_check, self._readiness, self._answers = host_check, readiness, answers
        self._prefetch, self._fresh, self._serving = prefetch, fresh, serving
        self._stopping = stopping

    def run_what_waits(self) -> None:
        """Returns when no case waits, or the slot may not work, or is told to stop.

        Raises:
            httpx.HTTPError: the server cannot be asked.
        """
        try:
            while not self._stopping.is_set() and self._may_work() and self._run_next():
                pass
        finally:
            self._serving.end()

    def _may_work(self) -> bool:
        if self._serving.keeps and (self._host_check.is_due or self._readiness.rests()):
            self._serving.end()
        return self._host_check.passes()

    def _run_next(self) -> bool:
        """Whether to go on: a batch was run, or the slot has a pause, for nobody will wake it when that is over."""
        self._readiness.wait()
        batch = self._next()
        if batch is None:
            return self._readiness.rests()
        if self._stopping.is_set():
            self._answers.put_back(batch.cases, batch.later)
            return False
        if not batch.served:
            batch.cases = [case for case in batch.cases if self._fresh.make_ready(case)]
        self._run(batch)
        return True

    def _next(self) -> LeasedBatch | None:
        """The next batch. A container is kept for it for a moment only, and not while anything else is run."""
        if self._serving.keeps and not self._prefetch.ready_within(_KEPT_WAITING):
            self._serving.end()
        batch = self._prefetch.take()
        if batch is None or not batch.served:
            self._serving.end()
        return batch

    def _run(self, batch: LeasedBatch) -> None:
        turns, pace = batch.turns, self._prefetch.pace
        wait = pace.wait(batch.evaluation, turns)
        if wait is not None:
            self._prefetch.begin(wait)
        began = time.monotonic()
        if batch.served:
            self._serving.run(batch)
        else:
            self._fresh.run_at_once(batch)
        if batch.cases:
            pace.ran(batch.evaluation, time.monotonic() - began, turns)
