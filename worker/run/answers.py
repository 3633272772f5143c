"""What the server is told of a slot's cases: each lease ends with a verdict, handed back, or by a fault of ours."""

import functools
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import structlog

from evaluator.verdicts import PlatformFault
from sandbox.faults import EngineFault, ImageRefused
from sandbox.jobs import CaseOutcome, Slot
from sandbox.start import UNLOADABLE
from worker.run.cases import LeasedCase
from worker.run.executor import Executor
from worker.run.heartbeat import Heartbeat, LeaseHandle, insist
from worker.run.host_check import Unfit
from worker.run.lease_client import Damaged, LeaseClient, LeaseLost
from worker.run.metrics import CASES, FAULTS, SECONDS
from worker.run.readiness import Readiness

_log = structlog.get_logger()


@dataclass
class GuardedWork:
    """Whether a block of work on a case failed; the server has been told then."""

    failed: bool = False


class Answers:
    """Answers for every lease of one slot, and removes what its case had on this host.

    leaving: set once the slot ends its cases at once; what ends by that is handed back and is nobody's fault.
    """

    def __init__(
        self,
        executor: Executor,
        client: LeaseClient,
        heartbeat: Heartbeat,
        readiness: Readiness,
        *,
        leaving: threading.Event,
    ) -> None:
        self._executor, self._client, self._heartbeat = executor, client, heartbeat
        self._readiness, self._leaving = readiness, leaving

    @contextmanager
    def responsible(self, case: LeasedCase) -> Iterator[GuardedWork]:
        """Where the block raises, the case is handed back as what went wrong demands, and forgotten.

        An image that cannot be loaded is a verdict, and reported.
        """
        with self._handing_back(case.handle) as work:
            try:
                yield work
            except ImageRefused as error:
                work.failed = True
                self.report(case, _unloadable(error), {})
        if work.failed:
            self.forget(case)

    def begin(
        self, handle: LeaseHandle, part: Slot | None = None, *, admitted: bool = False
    ) -> LeasedCase | None:
        """The case with its inputs on this host, see `Executor.begin`; None if it had to be handed back."""
        with self._handing_back(handle) as work:
            case = self._executor.begin(handle, part, admitted=admitted)
        return None if work.failed else case

    def report(
        self, case: LeasedCase, outcome: CaseOutcome, notes: dict[str, Any], agrees: bool | None = None
    ) -> None:
        """Settles the case with its verdict and lets its lease go. `notes` are further lines of its receipt.

        agrees: whether a container of its own gave the same answer, if it was asked.

        Raises:
            LeaseLost, httpx.HTTPError: the server does not take it.
        """
        handle, waited = case.handle, case.waited
        if handle.stop.is_set() and not self._leaving.is_set():
            raise LeaseLost(handle.lease.name)
        output = None
        if outcome.output is not None:
            output = insist(handle, functools.partial(self._client.put_output, handle.lease, outcome.output))
        finish = functools.partial(self._client.finish, handle.lease, outcome, output, wait_seconds=waited)
        insist(handle, functools.partial(finish, notes=notes, repeat_agrees=agrees))
        self._heartbeat.let_go(handle)
        CASES.labels(outcome.verdict.code).inc()
        SECONDS.observe(time.monotonic() - handle.since)
        _log.info(
            "case_done",
            **handle.lease.named,
            task=handle.lease.task_name,
            verdict=outcome.verdict.code,
            seconds=round(outcome.seconds, 3),
            wait_seconds=round(waited, 3),
            total_seconds=round(time.monotonic() - handle.since, 3),
            **notes,
        )

    def hand_back(self, handle: LeaseHandle) -> None:
        """Puts a case back that this slot will not run."""
        self._release(handle, None)

    def put_back(self, cases: Iterable[LeasedCase], unbegun: Iterable[LeaseHandle]) -> None:
        """Forgets cases that will not run, and puts them and those that were not begun back."""
        begun = list(cases)
        for case in begun:
            self.forget(case)
        for handle in (*(case.handle for case in begun), *unbegun):
            self.hand_back(handle)

    def forget(self, case: LeasedCase) -> None:
        """Removes everything of a case from this host."""
        try:
            self._executor.forget(case)
        except EngineFault as fault:
            _log.warning("not_removed", fault=fault.fault, **case.lease.named)  # the reaper will
        except Exception:  # noqa: BLE001 - the case is settled, whatever is left of it
            _log.exception("not_removed", **case.lease.named)

    @contextmanager
    def _handing_back(self, handle: LeaseHandle) -> Iterator[GuardedWork]:
        work = GuardedWork()
        try:
            yield work
        except Exception as error:  # noqa: BLE001 - whatever it is, the lease must not hang on until it runs out
            work.failed = True
            self._give_up(handle, error)

    def _give_up(self, handle: LeaseHandle, error: Exception) -> None:
        log = _log.bind(**handle.lease.named, task=handle.lease.task_name)
        match error:
            case LeaseLost():
                self._stopped(handle)
            case Unfit():
                log.warning("slot_unfit", why=str(error))
                self.hand_back(handle)
            case EngineFault() | Damaged() | httpx.HTTPError() if handle.stop.is_set():
                self._stopped(handle)
            case EngineFault():
                log.error("platform_fault", fault=error.fault, detail=error.detail)
                self._executor.doubt(handle.lease)
                self._fail(handle, error.fault, error.detail)
            case Damaged() | httpx.HTTPError():
                log.error("fetch_failed", error=_told(error))
                self._fail(handle, PlatformFault.INPUT_MISSING, _told(error))
            case _:
                log.exception("worker_defect")
                self._fail(handle, PlatformFault.WORKER_LOST, _told(error))

    def _stopped(self, handle: LeaseHandle) -> None:
        """The case was told to stop: because its lease is lost, or because this slot leaves now."""
        if self._leaving.is_set():
            self.hand_back(handle)
        else:
            _log.warning("lease_lost", **handle.lease.named)
            self._heartbeat.let_go(handle)

    def _fail(self, handle: LeaseHandle, fault: PlatformFault, detail: str) -> None:
        FAULTS.labels(fault).inc()
        self._release(handle, fault, detail)
        self._readiness.note_fault()

    def _release(self, handle: LeaseHandle, fault: PlatformFault | None, detail: str = "") -> None:
        self._heartbeat.let_go(handle)
        try:
            self._client.release(handle.lease, fault, detail)
        except (LeaseLost, httpx.HTTPError):
            _log.warning("release_failed", **handle.lease.named)  # the lease runs out by itself


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _unloadable(error: ImageRefused) -> CaseOutcome:
    return CaseOutcome(UNLOADABLE, None, 0.0, None, None, False, str(error), {})
