"""A batch of cases in one container after the other's case, where challenge, image and worker allow it."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from evaluator.spec import Limits
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseOutcome, Slot
from sandbox.options import cores
from sandbox.repeat import agree
from worker.run.ahead import Batch, share
from worker.run.cases import Running, Workshop
from worker.run.lease_client import LeaseLost
from worker.run.settle import Settler, counts
from worker.run.supply import Supply

_log = structlog.get_logger()
_MOST_UNANSWERED = 3
"""Cases of a batch that are not answered before it ends: each is to run once more, and others wait for the slot."""


@dataclass
class _Container:
    """A container that serves cases of one evaluation; `remove` ends it. `repeats`: cases to be compared after that."""

    evaluation: UUID
    limits: Limits
    session: Session
    remove: Callable[[], None]
    began: float
    answered: bool = False
    repeats: list[tuple[Running, CaseOutcome]] = field(default_factory=list)

    @property
    def may_stay(self) -> bool:
        """Whether it may wait for another batch: not once it is as old as a case may get, for its repeats wait."""
        return self.session.alive and time.monotonic() - self.began < self.limits.seconds_per_case


class Serving:
    """Serves the cases of one slot by containers that each answer several.

    What such a container does not answer validly runs in one of its own once it has ended, and that verdict counts.
    What the server wants repeated runs so too and is compared: never beside the container that answered, which could
    let it know. `run_fresh` runs and settles a case in the usual way.
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
        self._container: _Container | None = None

    @property
    def keeps(self) -> bool:
        """Whether a container waits for its evaluation's next batch.

        Before `end` the slot may wait for nothing that starts a container on this host: whoever wants to be alone there
        goes first, and waits for this one.
        """
        return self._container is not None

    def run(self, batch: Batch) -> None:
        """Runs the cases of the batch for as long as one case may take, or until the slot is told to stop.

        The rest is handed back: it is nobody's failure, and the queue decides anew whose turn it is.
        """
        if self._container is not None and self._container.evaluation != batch.evaluation:
            self.end()
        supply, unanswered = Supply(batch, self._settler), list[Running]()
        until = time.monotonic() + batch.seconds_per_case
        try:
            useful = self._serve(supply, unanswered, until)
            if unanswered or self._stopping() or (self._container and not self._container.may_stay):
                self.end()
            while unanswered:
                self._run_fresh(unanswered.pop(0))
            while not useful and self._goes_on(until) and (running := supply.next()) is not None:
                self._run_fresh(running)
        finally:
            supply.hand_back(unanswered)

    def end(self) -> None:
        """Ends a container that was kept, and returns when what it answered has been compared."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            container.remove()
        except Exception:  # noqa: BLE001 - cases wait to be compared, whatever is wrong with this one
            _log.exception("container_not_removed", container=container.session.name)  # the reaper will
        self._compare_all(container)

    def _goes_on(self, until: float) -> bool:
        return not self._stopping() and time.monotonic() < until

    def _serve(self, supply: Supply, unanswered: list[Running], until: float) -> bool:
        """Serves what there is; False if a container ended that had not answered any case."""
        while len(unanswered) < _MOST_UNANSWERED and self._goes_on(until):
            if self._container is not None and self._workshop.wanted_alone():
                self.end()
            if (running := supply.next()) is None:
                break
            if not self._served(running, unanswered):
                self._settler.forget(running)
            container = self._container
            if container is None:
                if unanswered:  # it did not start
                    return False
            elif not container.session.alive:
                self.end()
                if not container.answered:
                    return False
        return True

    def _served(self, running: Running, unanswered: list[Running]) -> bool:
        """Whether somebody else sees to the case now; if not, it has been handed back."""
        with self._settler.responsible(running.held):
            try:
                container = self._container or self._open(running)
                outcome = self._answer(container, running)
            except NotServed as why:
                _log.info("case_not_served", case_run=running.lease.name, why=str(why))
                running.held.until = float("inf")  # until its turn comes
                unanswered.append(running)
                return True
            container.answered = True
            if running.lease.repeat:
                running.held.until = float("inf")
                container.repeats.append((running, outcome))
            else:
                self._settler.settle_served(running, outcome)
            return True
        return False

    def _open(self, running: Running) -> _Container:
        """A container for this case and others; the image may have to be loaded first."""
        if not self._workshop.image_is_ready(running.lease):
            self._workshop.bring_image(running)
        began, stack = time.monotonic(), ExitStack()
        session = stack.enter_context(self._workshop.serving(running))
        self._container = _Container(
            running.lease.evaluation, running.job.limits, session, stack.close, began
        )
        return self._container

    def _answer(self, container: _Container, running: Running) -> CaseOutcome:
        if running.held.stop.is_set():  # lost while it waited for its turn
            raise LeaseLost(running.lease.name)
        self._workshop.watch_served(running, container.session.name)
        running.started = time.monotonic()
        return container.session.serve(running.job)

    def _compare_all(self, container: _Container) -> None:
        """Two at once where the slot has twice what a container may use."""
        parts: tuple[Slot, ...] = halves(self._lent, self._memory, container.limits) or (self._lent,)
        waiting = container.repeats
        with ThreadPoolExecutor(len(parts), thread_name_prefix="repeats") as threads:
            for number in range(0, len(waiting), len(parts)):
                pairs = waiting[number : number + len(parts)]
                at_once = parts if len(pairs) == len(parts) else (self._lent,)
                compare = functools.partial(self._compare, packed=len(pairs))
                list(threads.map(compare, *zip(*pairs, strict=True), at_once))

    def _compare(self, running: Running, served: CaseOutcome, part: Slot, *, packed: int) -> None:
        """The same case in a container of its own: the server learns whether the two answers agree."""
        with self._settler.responsible(running.held):
            running.job = replace(running.job, slot=part)
            self._workshop.execute(running)
            alone = self._settler.outcome(running)
            if not counts(alone, packed=packed, gpu=running.job.slot.gpu_uuid is not None):
                self._workshop.execute_alone(running)
                alone = self._settler.outcome(running)
            agrees = alone.verdict.valid and agree(
                running.job.task, served.output or b"", alone.output or b""
            )
            if not agrees:
                _log.warning("repeat_disagrees", case_run=running.lease.name, alone=alone.verdict.code)
            self._settler.settle_served(running, served, agrees=agrees)
            return
        self._settler.forget(running)


def halves(slot: Slot, memory: int, limits: Limits) -> tuple[Slot, Slot] | None:
    """Two parts of a slot (`memory` in bytes) that each have all that a container may use; None if it has less."""
    if slot.gpu_uuid is not None or slot.cpuset is None:
        return None
    if len(cores(slot.cpuset)) < 2 * limits.cpus or memory < 2 * limits.memory:
        return None
    one, other = share(slot, memory, 2)
    return None if one is None or other is None else (one, other)
