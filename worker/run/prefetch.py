"""What a slot runs next, leased and made ready while the slot is still busy."""

import threading
import time

import structlog

from contract.leases import Lease
from contract.statuses import Mode
from sandbox.jobs import Slot
from worker.run.answers import Answers
from worker.run.cases import LeasedBatch, LeasedCase
from worker.run.executor import Executor
from worker.run.heartbeat import Heartbeat, LeaseHandle
from worker.run.lease_client import LeaseClient, NoLeaseYet
from worker.run.pace import PrefetchPace
from worker.run.readiness import Readiness
from worker.run.slots import split

_log = structlog.get_logger()


class Prefetch:
    """Leases and prepares one batch at a time, in a thread of its own; the batch is taken by `take`."""

    def __init__(
        self,
        executor: Executor,
        client: LeaseClient,
        heartbeat: Heartbeat,
        answers: Answers,
        readiness: Readiness,
        *,
        whole: Slot,
        memory: int,
        stopping: threading.Event,
    ) -> None:
        self._executor, self._client, self._heartbeat = executor, client, heartbeat
        self._answers, self._readiness = answers, readiness
        self._whole, self._memory, self._stopping = whole, memory, stopping
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._batch: LeasedBatch | None = None
        self._problem: Exception | None = None
        self._asked = 0.0
        self.pace = PrefetchPace()

    def begin(self, wait: float) -> None:
        """Starts on the next batch in so many seconds, unless it is asked for before."""
        if self._thread is None:
            self._hurry.clear()
            self._thread = threading.Thread(target=self._get, args=[wait], name="prefetch", daemon=True)
            self._thread.start()

    def ready_within(self, seconds: float) -> bool:
        """Whether `take` would return at once, looked at until so many seconds from now."""
        self.begin(0.0)
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def take(self) -> LeasedBatch | None:
        """The next batch, or None if no case waits.

        Raises:
            httpx.HTTPError: the server cannot be asked.
        """
        self.begin(0.0)
        self._hurry.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None
        batch, self._batch = self._batch, None
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem
        return batch

    def abandon(self) -> None:
        """Hands back what was leased ahead and not taken."""
        if self._thread is None:
            return
        try:
            batch = self.take()
        except Exception as error:  # noqa: BLE001 - there is nothing to hand back
            _log.warning("not_leased", error=type(error).__name__)
            return
        if batch is not None:
            self._answers.put_back(batch.cases, batch.later)

    def _get(self, wait: float) -> None:
        try:
            self._hurry.wait(wait)
            lease = self._leased()
            if lease is not None:
                self._batch = self._prepared(lease)
                self.pace.prepared(time.monotonic() - self._asked)
        except Exception as error:  # noqa: BLE001 - whoever takes the batch gets it
            self._problem = error

    def _leased(self) -> Lease | None:
        """The next lease; while the server says that it is too early it is asked again, when it says."""
        while self._readiness.may_lease():
            self._asked = time.monotonic()
            try:
                return self._client.lease()
            except NoLeaseYet as refusal:
                _log.warning("not_now", why=str(refusal), seconds=refusal.seconds)
                self._stopping.wait(refusal.seconds)
        return None

    def _prepared(self, lease: Lease) -> LeasedBatch:
        handles = [self._heartbeat.hold(case_lease) for case_lease in lease.each()]
        if lease.mode is Mode.INVOKE:
            return self._served(lease, handles)
        parts = split(self._whole, self._memory, len(handles))
        begun = [self._answers.begin(handle, part) for handle, part in zip(handles, parts, strict=True)]
        cases = [case for case in begun if case is not None and self._make_ahead(case)]
        return LeasedBatch(lease.evaluation, lease.limits.seconds_per_case, cases, packed=len(handles))

    def _served(self, lease: Lease, handles: list[LeaseHandle]) -> LeasedBatch:
        """The first case alone is begun: the others can be while it runs."""
        batch = LeasedBatch(lease.evaluation, lease.limits.seconds_per_case, served=True)
        while handles and not batch.cases:
            if (case := self._answers.begin(handles.pop(0))) is not None:
                batch.cases.append(case)
        batch.later = handles
        return batch

    def _make_ahead(self, case: LeasedCase) -> bool:
        """Makes the case's container unless its image needs the slot first; False if it had to be handed back."""
        with self._answers.responsible(case) as work:
            if self._executor.image_is_ready(case.lease):
                self._executor.make(case)
        return not work.failed
