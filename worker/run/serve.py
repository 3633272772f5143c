"""A batch of cases in one container after the other's case, where challenge, image and worker allow it."""

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import structlog

from contract.ids import EvaluationId
from evaluator.outputs import agree
from evaluator.spec import Limits
from sandbox.invoke import NotServed, Session
from sandbox.jobs import CaseOutcome, Slot
from worker.run.answers import Answers
from worker.run.cases import LeasedBatch, LeasedCase
from worker.run.executor import Executor
from worker.run.fresh import FreshRuns
from worker.run.input_prefetch import InputPrefetch
from worker.run.lease_client import LeaseLost
from worker.run.settle import Settler, counts
from worker.run.slots import halves

_log = structlog.get_logger()
_MOST_UNANSWERED = 3
"""Cases of a batch that are not answered before it ends: each is to run once more, and others wait for the slot."""


@dataclass
class _Container:
    """A container that serves cases of one evaluation; `remove` ends it. `repeats`: cases to be compared after that."""

    evaluation: EvaluationId
    limits: Limits
    session: Session
    remove: Callable[[], None]
    began: float
    answered: bool = False
    repeats: list[tuple[LeasedCase, CaseOutcome]] = field(default_factory=list)

    @property
    def may_stay(self) -> bool:
        """Whether it may wait for another batch: not once it is as old as a case may get, for its repeats wait."""
        return self.session.alive and time.monotonic() - self.began < self.limits.seconds_per_case


class Serving:
    """Serves the cases of one slot by containers that each answer several.

    What such a container does not answer validly runs in one of its own once it has ended, and that verdict counts.
    What the server wants repeated runs so too and is compared: never beside the container that answered, which could
    let it know.
    """

    def __init__(
        self,
        executor: Executor,
        answers: Answers,
        settler: Settler,
        fresh: FreshRuns,
        *,
        whole: Slot,
        memory: int,
        stopping: threading.Event,
    ) -> None:
        self._executor, self._answers, self._settler, self._fresh = executor, answers, settler, fresh
        self._whole, self._memory, self._stopping = whole, memory, stopping
        self._container: _Container | None = None

    @property
    def keeps(self) -> bool:
        """Whether a container waits for its evaluation's next batch.

        Before `end` the slot may wait for nothing that starts a container on this host: whoever wants to be alone there
        goes first, and waits for this one.
        """
        return self._container is not None

    def run(self, batch: LeasedBatch) -> None:
        """Runs the cases of the batch for as long as one case may take, or until the slot is told to stop.

        The rest is handed back: it is nobody's failure, and the queue decides anew whose turn it is.
        """
        if self._container is not None and self._container.evaluation != batch.evaluation:
            self.end()
        coming, unanswered = InputPrefetch(batch, self._answers), list[LeasedCase]()
        until = time.monotonic() + batch.seconds_per_case
        try:
            useful = self._serve(coming, unanswered, until)
            if unanswered or self._stopping.is_set() or (self._container and not self._container.may_stay):
                self.end()
            while unanswered:
                self._fresh.run(unanswered.pop(0))
            while not useful and self._goes_on(until) and (case := coming.next()) is not None:
                self._fresh.run(case)
        finally:
            coming.hand_back(unanswered)

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
        return not self._stopping.is_set() and time.monotonic() < until

    def _serve(self, coming: InputPrefetch, unanswered: list[LeasedCase], until: float) -> bool:
        """Serves what there is; False if a container ended that had not answered any case."""
        while len(unanswered) < _MOST_UNANSWERED and self._goes_on(until):
            if self._container is not None and self._executor.wanted_alone():
                self.end()
            if (case := coming.next()) is None:
                break
            self._serve_case(case, unanswered)
            container = self._container
            if container is None:
                if unanswered:  # it did not start
                    return False
            elif not container.session.alive:
                self.end()
                if not container.answered:
                    return False
        return True

    def _serve_case(self, case: LeasedCase, unanswered: list[LeasedCase]) -> None:
        """Has the case answered; one that is not valid waits in `unanswered` until it can run fresh."""
        with self._answers.responsible(case):
            try:
                container = self._container or self._open(case)
                outcome = self._answer(container, case)
            except NotServed as why:
                _log.info("case_not_served", why=str(why), **case.lease.named)
                case.handle.waits()
                unanswered.append(case)
                return
            container.answered = True
            if case.lease.repeat:
                case.handle.waits()
                container.repeats.append((case, outcome))
            else:
                self._settler.settle_served(case, outcome)

    def _open(self, case: LeasedCase) -> _Container:
        """A container for this case and others; the image may have to be loaded first."""
        if not self._executor.image_is_ready(case.lease):
            self._executor.bring_image(case)
        began, stack = time.monotonic(), ExitStack()
        session = stack.enter_context(self._executor.serving(case))
        self._container = _Container(case.lease.evaluation, case.job.limits, session, stack.close, began)
        return self._container

    def _answer(self, container: _Container, case: LeasedCase) -> CaseOutcome:
        if case.handle.stop.is_set():  # lost while it waited for its turn
            raise LeaseLost(case.lease.name)
        self._executor.watch_served(case, container.session.name)
        case.started = time.monotonic()
        return container.session.serve(case.job)

    def _compare_all(self, container: _Container) -> None:
        """Two at once where the slot has twice what a container may use."""
        parts: tuple[Slot, ...] = halves(self._whole, self._memory, container.limits) or (self._whole,)
        waiting = container.repeats
        with ThreadPoolExecutor(len(parts), thread_name_prefix="repeats") as threads:
            for number in range(0, len(waiting), len(parts)):
                pairs = waiting[number : number + len(parts)]
                at_once = parts if len(pairs) == len(parts) else (self._whole,)
                compare = functools.partial(self._compare, packed=len(pairs))
                list(threads.map(compare, *zip(*pairs, strict=True), at_once))

    def _compare(self, case: LeasedCase, served: CaseOutcome, part: Slot, *, packed: int) -> None:
        """The same case in a container of its own: the server learns whether the two answers agree."""
        with self._answers.responsible(case):
            case.job = replace(case.job, slot=part)
            self._executor.execute(case)
            alone = self._executor.outcome(case)
            if not counts(alone, packed=packed, gpu=case.job.slot.gpu_uuid is not None):
                self._executor.execute_alone(case)
                alone = self._executor.outcome(case)
            agrees = alone.verdict.valid and agree(case.job.task, served.output or b"", alone.output or b"")
            if not agrees:
                _log.warning("repeat_disagrees", alone=alone.verdict.code, **case.lease.named)
            self._settler.settle_served(case, served, agrees=agrees)
