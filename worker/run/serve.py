"""A batch of cases in one container after the other's case, where challenge, image and worker allow it."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import structlog

from evaluator.spec import Limits
from sandbox import run as sandbox
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseOutcome, Slot
from sandbox.options import cores
from sandbox.repeat import agree
from worker.run.ahead import Batch, share
from worker.run.cases import Running, Workshop
from worker.run.settle import Settler

_log = structlog.get_logger()


class Serving:
    """Serves the cases of one slot by containers that each answer several.

    What such a container does not answer validly runs in one of its own once it has ended, and that verdict counts;
    what the server wants repeated runs so too, and is compared: beside the serving container where the slot has twice
    what a container may use. `run_fresh` runs and settles a case in the usual way.
    """

    def __init__(
        self,
        workshop: Workshop,
        settler: Settler,
        *,
        lent: Slot,
        memory: int,
        run_fresh: Callable[[Running], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._workshop, self._settler = workshop, settler
        self._lent, self._memory = lent, memory
        self._run_fresh, self._stopping = run_fresh, stopping

    def run(self, batch: Batch) -> None:
        """Runs every case of the batch; when the slot is told to stop, the rest is handed back."""
        waiting = deque(batch.cases)
        fresh: list[Running] = []
        repeats = _Repeats(self._compare, None)
        if waiting:
            parts = halves(self._lent, self._memory, waiting[0].job.limits)
            if parts is not None:
                repeats = _Repeats(self._compare, parts[1])
                for running in waiting:
                    running.job = replace(running.job, slot=parts[0])
        useful = True
        while waiting and useful and not self._stopping():
            useful = self._serve(waiting, fresh, repeats)
        repeats.finish()
        if not useful:  # this image does not do what its label says
            fresh += waiting
            waiting.clear()
        for running in fresh:
            self._run_fresh(running)
        for running in waiting:
            self._settler.forget(running)
            self._settler.hand_back(running.held)

    def _serve(self, waiting: deque[Running], fresh: list[Running], repeats: "_Repeats") -> bool:
        """The life of one container; whether it answered any case."""
        first, before = waiting[0], len(fresh)
        asked = 0
        with self._settler.responsible(first.held):
            try:
                with self._workshop.serving(first) as session:
                    while waiting and session.alive and not self._stopping():
                        asked += 1
                        self._one(session, waiting.popleft(), fresh, repeats)
            except NotServed as why:
                _log.info("container_does_not_serve", evaluation=first.lease.evaluation, why=str(why))
            return asked > len(fresh) - before
        if waiting and waiting[0] is first:
            waiting.popleft()
            self._settler.forget(first)
        return True

    def _one(self, session: Session, running: Running, fresh: list[Running], repeats: "_Repeats") -> None:
        with self._settler.responsible(running.held):
            self._workshop.watch_served(running, session.name)
            running.started = time.monotonic()
            try:
                outcome = session.serve(running.job)
            except NotServed as why:
                _log.info("case_not_served", case_run=running.lease.name, why=str(why))
                fresh.append(running)
                return
            if running.lease.repeat:
                repeats.add(running, outcome)
            else:
                self._settler.settle_served(running, outcome)
            return
        self._settler.forget(running)

    def _compare(self, running: Running, served: CaseOutcome) -> None:
        """The same case in a container of its own: the server learns whether the two answers agree."""
        with self._settler.responsible(running.held):
            self._workshop.execute(running)
            if running.case is None:
                raise RuntimeError("an executed case has a container")
            alone = sandbox.conclude(running.case)
            agrees = alone.verdict.valid and agree(
                running.job.task, served.output or b"", alone.output or b""
            )
            if not agrees:
                _log.warning("repeat_disagrees", case_run=running.lease.name, alone=alone.verdict.code)
            self._settler.settle_served(running, served, agrees=agrees)
            return
        self._settler.forget(running)


class _Repeats:
    """Cases to be run once more: one at a time beside the serving container in a part of the slot, or else after it."""

    def __init__(self, compare: Callable[[Running, CaseOutcome], None], beside: Slot | None) -> None:
        self._compare, self._beside = compare, beside
        self._later: list[tuple[Running, CaseOutcome]] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, running: Running, outcome: CaseOutcome) -> None:
        """Takes over a case that was served."""
        if self._beside is not None:
            running.job = replace(running.job, slot=self._beside)
        with self._lock:
            self._later.append((running, outcome))
            if self._beside is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="repeats")
                self._thread.start()

    def finish(self) -> None:
        """Returns when every case has been compared; no serving container may wait for that."""
        thread = self._thread
        if thread is not None:
            thread.join()
        self._run()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._later:
                    self._thread = None
                    return
                running, outcome = self._later.pop(0)
            self._compare(running, outcome)


def halves(slot: Slot, memory: int, limits: Limits) -> tuple[Slot, Slot] | None:
    """Two parts of a slot (`memory` in bytes) that each have all that a container may use; None if it has less."""
    if slot.gpu_uuid is not None or slot.cpuset is None:
        return None
    if len(cores(slot.cpuset)) < 2 * limits.cpus or memory < 2 * limits.memory:
        return None
    one, other = share(slot, memory, 2)
    return None if one is None or other is None else (one, other)
