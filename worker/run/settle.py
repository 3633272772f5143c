"""From an ended container to a settled case, beside the next container: collect, check, upload, finish, remove."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import structlog

from evaluator.verdicts import Fault, PlatformFault
from sandbox import run as sandbox
from sandbox.faults import EngineFault, ImageRefused
from sandbox.jobs import CaseOutcome, Slot
from sandbox.start import UNLOADABLE
from worker.run.cases import Running, Workshop
from worker.run.gate import Unfit
from worker.run.heart import Heart, Held, insist
from worker.run.lease_client import Damaged, LeaseClient, LeaseLost

_log = structlog.get_logger()

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


class _Lane:
    """Threads for so many cases at once; who brings one more waits. A case may take the room of several."""

    def __init__(self, width: int) -> None:
        self._threads = ThreadPoolExecutor(width, thread_name_prefix="settle")
        self._room = threading.BoundedSemaphore(width)
        self._entry = threading.Lock()

    def submit(self, work: Callable[..., None], *arguments: Any, room: int = 1) -> None:
        with (
            self._entry
        ):  # one after the other, or each of several could have a part of the room and wait for the rest
            for _ in range(room):
                self._room.acquire()
        future: Future[None] = self._threads.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release(room))

    def finish(self) -> None:
        self._threads.shutdown()


class Settler:
    """Settles the cases of one slot, a few at once, in threads of its own.

    pause: called after a platform fault, so that a broken host does not burn through the queue.
    """

    def __init__(
        self, workshop: Workshop, client: LeaseClient, heart: Heart, *, pause: Callable[[], None], most: int
    ) -> None:
        self._workshop, self._client, self._heart, self._pause = workshop, client, heart, pause
        self._most = most
        # Apart, for cases that run once more wait until no container runs, and one that serves several runs on until
        # what it answered is taken over.
        self._concluding, self._reporting = _Lane(_BEHIND * most), _Lane(_BEHIND)
        self.stopping = threading.Event()

    def settle(self, running: Running, *, packed: int) -> None:
        """Takes over a case whose container has ended; waits where too many are behind.

        A case that ran alone takes the room of a whole batch, for the server leases no more than two beside what runs.
        """
        self._concluding.submit(self._settle, running, packed, room=self._most if packed == 1 else 1)

    def settle_served(self, running: Running, outcome: CaseOutcome, *, agrees: bool | None = None) -> None:
        """Takes over a case that a container for several has answered.

        agrees: whether a container of its own gave the same answer, if it was asked.
        """
        self._reporting.submit(self._settle_served, running, outcome, agrees)

    def finish(self) -> None:
        """Waits until every case is settled."""
        self._concluding.finish()
        self._reporting.finish()

    @contextmanager
    def responsible(self, held: Held) -> Iterator[None]:
        """Hands the case back, as what went wrong demands, where the block raises; it is let go of then."""
        log = _log.bind(case_run=held.lease.name, task=held.lease.task_name)
        try:
            yield
        except LeaseLost:
            self._stopped(held)
        except Unfit as error:
            log.warning("slot_unfit", why=str(error))
            self.hand_back(held)
        except (EngineFault, Damaged, httpx.HTTPError) as error:
            if held.stop.is_set():
                self._stopped(held)
            elif isinstance(error, EngineFault):
                log.error("platform_fault", fault=error.fault, detail=error.detail)
                self._workshop.doubt(held.lease)
                self._release(held, error.fault, error.detail)
            else:
                said = f"{type(error).__name__}: {error}"
                log.error("fetch_failed", error=said)
                self._release(held, PlatformFault.INPUT_MISSING, said)
        except ImageRefused as error:
            with self.responsible(held):
                self._report(held, _unloadable(error), time.monotonic() - held.since, {})
        except Exception as error:
            log.exception("worker_defect")
            self._release(held, PlatformFault.WORKER_LOST, f"{type(error).__name__}: {error}")

    def begin(self, held: Held, lent: Slot | None = None, *, admitted: bool = False) -> Running | None:
        """The case with its inputs on this host, see `Workshop.begin`; None if it had to be handed back."""
        with self.responsible(held):
            return self._workshop.begin(held, lent, admitted=admitted)
        return None

    def hand_back(self, held: Held) -> None:
        """Puts a case back that this slot will not run."""
        self._heart.let_go(held)
        try:
            self._client.release(held.lease, None)
        except (LeaseLost, httpx.HTTPError):
            _log.warning("release_failed", case_run=held.lease.name)  # the lease runs out by itself

    def _settle(self, running: Running, packed: int) -> None:
        try:
            with self.responsible(running.held):
                self._conclude(running, packed)
        finally:
            self.forget(running)

    def _settle_served(self, running: Running, outcome: CaseOutcome, agrees: bool | None) -> None:
        try:
            with self.responsible(running.held):
                self._report(running.held, outcome, running.waited, {"invoke": True}, agrees)
        finally:
            self.forget(running)

    def _conclude(self, running: Running, packed: int) -> None:
        notes: dict[str, Any] = {"packed": packed} if packed > 1 else {}
        outcome = self.outcome(running)
        if not counts(outcome, packed=packed, gpu=running.job.slot.gpu_uuid is not None):
            notes["alone_after"] = outcome.verdict.code
            self._workshop.execute_alone(running)
            outcome = self.outcome(running)
        self._report(running.held, outcome, running.waited, notes)

    def outcome(self, running: Running) -> CaseOutcome:
        """What came of a case whose container has ended."""
        if running.case is None:
            raise RuntimeError("a case has a container until it is forgotten")
        return sandbox.conclude(running.case)

    def _report(
        self,
        held: Held,
        outcome: CaseOutcome,
        waited: float,
        notes: dict[str, Any],
        agrees: bool | None = None,
    ) -> None:
        if held.stop.is_set() and not self.stopping.is_set():
            raise LeaseLost(held.lease.name)
        output = None
        if outcome.output is not None:
            output = insist(held, functools.partial(self._client.put_output, held.lease, outcome.output))
        finish = functools.partial(self._client.finish, held.lease, outcome, output, wait_seconds=waited)
        insist(held, functools.partial(finish, notes=notes, repeat_agrees=agrees))
        self._heart.let_go(held)
        _log.info(
            "case_done",
            case_run=held.lease.name,
            task=held.lease.task_name,
            verdict=outcome.verdict.code,
            seconds=round(outcome.seconds, 3),
            wait_seconds=round(waited, 3),
            total_seconds=round(time.monotonic() - held.since, 3),
            **notes,
        )

    def _stopped(self, held: Held) -> None:
        """The case was told to stop: because its lease is lost, or because this slot leaves now."""
        if self.stopping.is_set():
            self.hand_back(held)
        else:
            _log.warning("lease_lost", case_run=held.lease.name)
            self._heart.let_go(held)

    def _release(self, held: Held, fault: PlatformFault, detail: str) -> None:
        self._heart.let_go(held)
        try:
            self._client.release(held.lease, fault, detail)
        except (LeaseLost, httpx.HTTPError):
            _log.warning("release_failed", case_run=held.lease.name)  # the lease runs out by itself
        self._pause()

    def forget(self, running: Running) -> None:
        """Removes everything of a case from this host."""
        try:
            self._workshop.forget(running)
        except EngineFault as fault:
            _log.warning("not_removed", case_run=running.lease.name, fault=fault.fault)  # the reaper will


def _unloadable(error: ImageRefused) -> CaseOutcome:
    return CaseOutcome(UNLOADABLE, None, 0.0, None, None, False, str(error), {})
