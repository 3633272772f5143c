"""From an ended container to a settled case, beside the next container: collect, check, upload, finish, remove."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from evaluator.verdicts import Fault
from sandbox.jobs import CaseOutcome
from worker.run.answers import Answers
from worker.run.cases import LeasedCase

_BEHIND = 2
"""Cases, for each that runs, that may wait to be settled; the slot waits where the server or the disk is slower."""
_BY_BOUNDS = (Fault.TIMEOUT, Fault.OUT_OF_MEMORY, Fault.DISK_FULL, Fault.TOO_MANY_PROCESSES)


def counts(outcome: CaseOutcome, *, packed: int, gpu: bool) -> bool:
    """Whether the outcome stands; else the case runs once more, alone, and that outcome stands whatever it is.

    A bound that was met beside other containers may be met because of them; with a GPU that is shared, so may any
    failure of the program. A valid output that came late may have been late because the host was busy.
    """
    if packed > 1:
        fault = outcome.verdict.fault
        return fault not in _BY_BOUNDS and not (gpu and fault is Fault.EXIT_CODE)
    return not outcome.late


class Containers(Protocol):
    """What is asked of a case whose container has ended; the executor, unless a test stands in for it."""

    def outcome(self, case: LeasedCase) -> CaseOutcome:
        """What came of it."""
        ...

    def execute_alone(self, case: LeasedCase) -> None:
        """Runs it once more, with nothing else on this host."""
        ...


class _Lane:
    """Threads for so many cases at once; who brings one more waits. A case may take the room of several."""

    def __init__(self, width: int) -> None:
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="settle")
        self._room = threading.BoundedSemaphore(width)
        self._entry = threading.Lock()

    def submit(self, work: Callable[..., None], *arguments: Any, room: int = 1) -> None:
        # One after the other, or each of several could have a part of the room and wait for the rest.
        with self._entry:
            for _ in range(room):
                self._room.acquire()
        future: Future[None] = self._threads.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release(room))

    def finish(self) -> None:
        self._threads.shutdown()


class Settler:
    """Settles the cases of one slot, a few at once, in threads of its own. `most`: cases that the slot runs at once."""

    def __init__(self, containers: Containers, answers: Answers, *, most: int) -> None:
        self._containers, self._answers, self._most = containers, answers, most
        # Apart, for cases that run once more wait until no container runs, and one that serves several runs on until
        # what it answered is taken over.
        self._concluding, self._reporting = _Lane(_BEHIND * most), _Lane(_BEHIND)

    def settle(self, case: LeasedCase, *, packed: int) -> None:
        """Takes over a case whose container has ended; waits where too many are behind.

        A case that ran alone takes the room of a whole batch, for the server leases no more than two beside what runs.
        """
        self._concluding.submit(self._settle, case, packed, room=self._most if packed == 1 else 1)

    def settle_served(self, case: LeasedCase, outcome: CaseOutcome, *, agrees: bool | None = None) -> None:
        """Takes over a case that a container for several has answered.

        agrees: whether a container of its own gave the same answer, if it was asked.
        """
        self._reporting.submit(self._settle_served, case, outcome, agrees)

    def finish(self) -> None:
        """Waits until every case is settled."""
        self._concluding.finish()
        self._reporting.finish()

    def _settle(self, case: LeasedCase, packed: int) -> None:
        with self._answers.responsible(case):
            notes: dict[str, Any] = {"packed": packed} if packed > 1 else {}
            outcome = self._containers.outcome(case)
            if not counts(outcome, packed=packed, gpu=case.job.slot.gpu_uuid is not None):
                notes["alone_after"] = outcome.verdict.code
                self._containers.execute_alone(case)
                outcome = self._containers.outcome(case)
            self._answers.report(case, outcome, notes)
            self._answers.forget(case)

    def _settle_served(self, case: LeasedCase, outcome: CaseOutcome, agrees: bool | None) -> None:
        with self._answers.responsible(case):
            self._answers.report(case, outcome, {"invoke": True}, agrees)
            self._answers.forget(case)
