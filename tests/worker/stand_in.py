"""`python -m tests.worker.stand_in`: a run worker as it is, but that its containers are waits.

Leases, inputs, heartbeats, hand-backs, signals and settings are the worker's own. So what a cluster does to a worker is
tried without an engine: a case of the track `sleeps-1.5` takes so many seconds, any other what STAND_IN_SECONDS says,
a number or a file with one.
"""

import os
import time
from pathlib import Path
from typing import Any, cast

from evaluator.spec import Limits
from evaluator.verdicts import PlatformFault, Verdict
from sandbox.faults import EngineFault
from sandbox.jobs import CaseOutcome
from worker.run import runner
from worker.run.__main__ import app
from worker.run.cases import LeasedCase
from worker.run.engine_connection import EngineConnection
from worker.run.executor import Executor


class WaitingExecutor(Executor):
    """Brings inputs, and waits where a container would run."""

    def image_is_ready(self, lease: object) -> bool:
        """Nothing is loaded."""
        return True

    def make(self, case: LeasedCase) -> None:
        """Nothing is made."""
        case.container = cast("Any", self)

    def execute(self, case: LeasedCase) -> None:
        """Waits, or until the case is told to stop."""
        what, _, amount = case.lease.track.partition("-")
        seconds = float(amount if what == "sleeps" else _usual())
        case.started = time.monotonic()
        if case.handle.stop.wait(seconds):
            raise EngineFault(PlatformFault.WORKER_LOST, "told to stop")

    def outcome(self, case: LeasedCase) -> CaseOutcome:
        """A number, as the task wants."""
        seconds = time.monotonic() - (case.started or 0.0)
        return CaseOutcome(Verdict(None, ""), b"0.5\n", seconds, None, 0, False, "", {})

    def remove(self, case: LeasedCase) -> None:
        """Nothing is there."""
        case.container = None


def _usual() -> str:
    said = os.environ["STAND_IN_SECONDS"]
    return Path(said).read_text() if said.startswith("/") else said


class FitHost:
    """A host that was examined."""

    is_due = False

    def __init__(self, *_: object) -> None:
        pass

    def passes(self) -> bool:
        """It holds."""
        return True

    def require(self, limits: Limits) -> None:
        """It holds for all limits."""


class NoEngine(EngineConnection):
    """Answers, and that is all."""

    def engine(self) -> Any:
        """Something that can be asked whether it is there."""
        return self

    def ping(self) -> None:
        """It is."""


if __name__ == "__main__":
    replaced: dict[str, Any] = {
        "Executor": WaitingExecutor,
        "HostCheck": FitHost,
        "EngineConnection": NoEngine,
    }
    for name, stand_in in replaced.items():
        setattr(runner, name, stand_in)
    app()
