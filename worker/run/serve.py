"""A batch of cases in one container after the other's case, where challenge, image and worker allow it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import structlog

from evaluator.spec import Limits
from sandbox import run as sandbox
from sandbox.faults import EngineFault
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseOutcome, Slot
from sandbox.repeat import agree
from worker.run.ahead import Batch
from worker.run.cases import Running, Workshop
from worker.run.leases import LeaseLost
from worker.run.repeats import Repeats, halves
from worker.run.settle import Settler
from worker.run.supply import Supply

_log = structlog.get_logger()


@dataclass
class _Container:
    """A container that serves. `close` removes it; `answered`: at least one case."""

    session: Session
    close: Callable[[], None]
    began: float
    answered: bool = False


@dataclass
class _Tenure:
    """What an evaluation has of the slot, from one of its batches to the next.

    `useful`: as far as is known, the image does what its label says.
    """

    evaluation: str
    limits: Limits
    parts: tuple[Slot, Slot] | None
    repeats: Repeats
    container: _Container | None = None
    useful: bool = True

    @property
    def may_stay(self) -> bool:
        """Whether the container may wait for another batch.

        Not once it is as old as a case may get, for whoever wants to be alone on this host waits for its end; nor
        while cases that take the whole slot wait to be repeated.
        """
        container = self.container
        if not self.useful or container is None or self.repeats.wait_for_the_slot:
            return False
        return time.monotonic() - container.began < self.limits.seconds_per_case


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
        self._tenure: _Tenure | None = None

    @property
    def keeps(self) -> bool:
        """Whether a container waits for its evaluation's next batch.

        Before `end` the slot may wait for nothing that starts a container on this host: whoever wants to be alone there
        goes first, and waits for this one.
        """
        return self._tenure is not None

    def run(self, batch: Batch) -> None:
        """Runs every case of the batch; when the slot is told to stop, the rest is handed back."""
        if self._tenure is not None and self._tenure.evaluation != batch.evaluation:
            self.end()
        supply = Supply(batch, self._settler)
        fresh: list[Running] = []
        useful = True
        while useful and not self._stopping() and (running := supply.next()) is not None:
            tenure = self._tenure = self._tenure or self._begun(running)
            self._serve(tenure, running, fresh)
            useful = tenure.useful
        if fresh or self._stopping() or self._tenure is None or not self._tenure.may_stay:
            self.end()
        for running in fresh:
            self._run_fresh(running)
        while not useful and not self._stopping() and (running := supply.next()) is not None:
            self._run_fresh(running)
        supply.hand_back()

    def end(self) -> None:
        """Ends a container that was kept, and returns when every case that is to be compared has been."""
        tenure, self._tenure = self._tenure, None
        if tenure is not None:
            self._close(tenure)
            tenure.repeats.finish()

    def _begun(self, first: Running) -> _Tenure:
        limits = first.job.limits
        parts = halves(self._lent, self._memory, limits)
        repeats = Repeats(self._compare, None if parts is None else parts[1])
        return _Tenure(first.lease.evaluation, limits, parts, repeats)

    def _serve(self, tenure: _Tenure, running: Running, fresh: list[Running]) -> None:
        """One case by the container that is there, or else by a new one; if it is not answered it goes to `fresh`."""
        if not self._served(tenure, running, fresh):
            self._settler.forget(running)
        container = tenure.container
        if container is not None and not container.session.alive:
            self._close(tenure)

    def _served(self, tenure: _Tenure, running: Running, fresh: list[Running]) -> bool:
        """Whether somebody else sees to the case now; if not, it has been handed back."""
        if tenure.parts is not None:
            running.job = replace(running.job, slot=tenure.parts[0])
        with self._settler.responsible(running.held):
            try:
                outcome = self._answer(tenure.container or self._open(tenure, running), running)
            except NotServed as why:
                _log.info("case_not_served", case_run=running.lease.name, why=str(why))
                fresh.append(running)
                container = tenure.container
                tenure.useful = container is not None and (container.answered or container.session.alive)
                return True
            if running.lease.repeat:
                tenure.repeats.add(running, outcome)
            else:
                self._settler.settle_served(running, outcome)
            return True
        return False

    def _open(self, tenure: _Tenure, running: Running) -> _Container:
        """A container for this case and others; the image may have to be loaded first."""
        if not self._workshop.image_is_ready(running.lease):
            self._workshop.bring_image(running)
        began, stack = time.monotonic(), ExitStack()
        session = stack.enter_context(self._workshop.serving(running))
        tenure.container = _Container(session, stack.close, began)
        return tenure.container

    def _answer(self, container: _Container, running: Running) -> CaseOutcome:
        if running.held.stop.is_set():  # lost while it waited for its turn
            raise LeaseLost(running.lease.name)
        self._workshop.watch_served(running, container.session.name)
        running.started = time.monotonic()
        outcome = container.session.serve(running.job)
        container.answered = True
        return outcome

    def _close(self, tenure: _Tenure) -> None:
        container, tenure.container = tenure.container, None
        if container is not None:
            try:
                container.close()
            except EngineFault as fault:
                _log.warning("not_removed", container=container.session.name, fault=fault.fault)

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
