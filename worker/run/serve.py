"""A batch of cases in one container after the other's case, where challenge, image and worker allow it."""

import time
from collections import deque
from collections.abc import Callable

import structlog

from sandbox import run as sandbox
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseOutcome
from sandbox.repeat import agree
from worker.run.ahead import Batch
from worker.run.cases import Running, Workshop
from worker.run.settle import Settler

_log = structlog.get_logger()


class Serving:
    """Serves the cases of one slot by containers that each answer several.

    What such a container does not answer validly runs in one of its own once it has ended, and that verdict counts;
    what the server wants repeated runs so too, and is compared. `run_fresh` runs and settles a case in the usual way.
    """

    def __init__(
        self,
        workshop: Workshop,
        settler: Settler,
        *,
        run_fresh: Callable[[Running], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._workshop, self._settler = workshop, settler
        self._run_fresh, self._stopping = run_fresh, stopping

    def run(self, batch: Batch) -> None:
        """Runs every case of the batch; when the slot is told to stop, the rest is handed back."""
        waiting = deque(batch.cases)
        fresh: list[Running] = []
        repeats: list[tuple[Running, CaseOutcome]] = []
        useful = True
        while waiting and useful and not self._stopping():
            useful = self._serve(waiting, fresh, repeats)
        for running, outcome in repeats:
            self._compare(running, outcome)
        if not useful:  # this image does not do what its label says
            fresh += waiting
            waiting.clear()
        for running in fresh:
            self._run_fresh(running)
        for running in waiting:
            self._settler.forget(running)
            self._settler.hand_back(running.held)

    def _serve(
        self, waiting: deque[Running], fresh: list[Running], repeats: list[tuple[Running, CaseOutcome]]
    ) -> bool:
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

    def _one(
        self,
        session: Session,
        running: Running,
        fresh: list[Running],
        repeats: list[tuple[Running, CaseOutcome]],
    ) -> None:
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
                repeats.append((running, outcome))
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
