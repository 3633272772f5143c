"""What a slot runs next, leased and made ready while the slot is still busy."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from contract.leases import Lease
from contract.statuses import Mode
from sandbox.jobs import Slot
from sandbox.options import cores
from worker.run.cases import Running, Workshop
from worker.run.heart import Heart, Held
from worker.run.lease_client import LeaseClient, NotNow
from worker.run.settle import Settler

_log = structlog.get_logger()
_SPARE = 0.3
_REMEMBERED = 64


@dataclass
class Batch:
    """The cases of one lease, which run at once; one that could not be made ready is not among them.

    `served`: one container is to answer one after the other, so that `later` ones need not be begun yet.
    """

    evaluation: UUID
    seconds_per_case: float
    cases: list[Running] = field(default_factory=list)
    later: list[Held] = field(default_factory=list)
    packed: int = 1
    served: bool = False

    @property
    def turns(self) -> int:
        """How many cases or groups of cases run one after the other."""
        return len(self.cases) + len(self.later) if self.served else 1


class Pace:
    """When to ask for the next case: as late as it can still be made ready in time.

    A case that is leased ahead waits for this slot although another one may be free before, and a team that comes
    meanwhile waits behind it. So nothing is leased ahead until the evaluation's cases are known to be short enough,
    or to end soon.
    """

    def __init__(self) -> None:
        self._shortest: dict[UUID, float] = {}
        self._preparation = 0.0

    def ran(self, evaluation: UUID, seconds: float, turns: int = 1) -> None:
        """So many cases of the evaluation, one after the other, took so long."""
        each = seconds / turns
        shortest = min(each, self._shortest.get(evaluation, each))
        self._shortest.pop(evaluation, None)
        self._shortest[evaluation] = shortest
        while len(self._shortest) > _REMEMBERED:
            del self._shortest[next(iter(self._shortest))]

    def prepared(self, seconds: float) -> None:
        """Making a case ready took so long; the longest of late counts."""
        self._preparation = max(seconds, 0.8 * self._preparation)

    def wait(self, evaluation: UUID, turns: int = 1) -> float | None:
        """Seconds into the next cases until what follows them should be leased; None if nothing is known yet."""
        shortest = self._shortest.get(evaluation)
        return None if shortest is None else max(0.0, turns * shortest - 1.5 * self._preparation - _SPARE)


class Ahead:
    """Leases and prepares one batch at a time, in a thread of its own; the batch is taken by `take`."""

    def __init__(
        self,
        workshop: Workshop,
        client: LeaseClient,
        heart: Heart,
        settler: Settler,
        *,
        lent: Slot,
        memory: int,
        allowed: Callable[[], bool],
        stopping: threading.Event,
    ) -> None:
        self._workshop, self._client, self._heart, self._settler = workshop, client, heart, settler
        self._lent, self._memory, self._allowed, self._stopping = lent, memory, allowed, stopping
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()
        self._batch: Batch | None = None
        self._problem: Exception | None = None
        self._asked = 0.0
        self.pace = Pace()

    def begin(self, wait: float) -> None:
        """Starts on the next batch in so many seconds, unless it is asked for before."""
        if self._thread is None:
            self._hurry.clear()
            self._thread = threading.Thread(target=self._get, args=[wait], name="ahead", daemon=True)
            self._thread.start()

    def ready_within(self, seconds: float) -> bool:
        """Whether `take` would return at once, looked at until so many seconds from now."""
        self.begin(0.0)
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def take(self) -> Batch | None:
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
            self.hand_back(batch)

    def hand_back(self, batch: Batch) -> None:
        """Puts back what was taken and will not run."""
        for running in batch.cases:
            self._settler.forget(running)
        for held in (*(running.held for running in batch.cases), *batch.later):
            self._settler.hand_back(held)

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
        while self._allowed():
            self._asked = time.monotonic()
            try:
                return self._client.lease()
            except NotNow as refusal:
                _log.warning("not_now", why=str(refusal), seconds=refusal.seconds)
                self._stopping.wait(refusal.seconds)
        return None

    def _prepared(self, lease: Lease) -> Batch:
        held = [self._heart.hold(one) for one in lease.each()]
        if lease.mode is Mode.INVOKE:
            return self._served(lease, held)
        batch = Batch(lease.evaluation, lease.limits.seconds_per_case, packed=len(held))
        for one, lent in zip(held, share(self._lent, self._memory, len(held)), strict=True):
            if (running := self._settler.begin(one, lent)) is not None:
                batch.cases.append(running)
        for running in list(batch.cases):
            self._make_ahead(batch, running)
        return batch

    def _served(self, lease: Lease, held: list[Held]) -> Batch:
        """The first case alone is begun: the others can be while it runs."""
        batch = Batch(lease.evaluation, lease.limits.seconds_per_case, served=True)
        while held and not batch.cases:
            if (running := self._settler.begin(held.pop(0))) is not None:
                batch.cases.append(running)
        batch.later = held
        return batch

    def _make_ahead(self, batch: Batch, running: Running) -> None:
        """Makes the case's container unless its image needs the slot first."""
        with self._settler.responsible(running.held):
            if self._workshop.image_is_ready(running.lease):
                self._workshop.make(running)
            return
        batch.cases.remove(running)
        self._settler.forget(running)

    def make(self, batch: Batch, running: Running) -> None:
        """Makes the case's container; a case for which that fails leaves the batch."""
        with self._settler.responsible(running.held):
            self._workshop.make(running)
            return
        batch.cases.remove(running)
        self._settler.forget(running)


def share(slot: Slot, memory: int, parts: int) -> list[Slot | None]:
    """What each of so many containers gets of a slot: cores of its own and an equal share of the memory in bytes.

    None stands for the whole slot. With fewer cores than containers some share one.
    """
    if parts == 1:
        return [None]
    own = sorted(cores(slot.cpuset)) if slot.cpuset else []
    return [
        replace(
            slot,
            cpuset=",".join(map(str, own[number::parts] or own[number % len(own) :][:1])) if own else None,
            memory=memory // parts,
        )
        for number in range(parts)
    ]
