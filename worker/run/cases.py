"""A leased case on its way through a slot, and the cases that a slot runs as one batch."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from contract.ids import EvaluationId
from contract.leases import Lease
from sandbox import run as sandbox
from sandbox.jobs import CaseJob
from worker.run.heartbeat import LeaseHandle


@dataclass
class LeasedCase:
    """A case with its inputs on this host; `container` is there once it is made.

    `started` is when its clock began, in seconds on the monotonic clock.
    """

    handle: LeaseHandle
    scratch: Path
    job: CaseJob
    container: sandbox.PreparedCase | None = None
    started: float | None = None

    @property
    def lease(self) -> Lease:
        """What the server said of it."""
        return self.handle.lease

    @property
    def waited(self) -> float:
        """Seconds from the lease until the clock started, or until now."""
        return (self.started or time.monotonic()) - self.handle.since


@dataclass
class LeasedBatch:
    """The cases of one lease, which run at once; one that could not be made ready is not among them.

    `served`: one container is to answer one after the other, so that `later` ones need not be begun yet.
    """

    evaluation: EvaluationId
    seconds_per_case: float
    cases: list[LeasedCase] = field(default_factory=list)
    later: list[LeaseHandle] = field(default_factory=list)
    packed: int = 1
    served: bool = False

    @property
    def turns(self) -> int:
        """How many cases or groups of cases run one after the other."""
        return len(self.cases) + len(self.later) if self.served else 1
