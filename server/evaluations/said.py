"""What a run worker says of a case, brought to what can be true; a verdict is never lost for it.

Its host may be in anybody's hands: no case took longer than it was leased or more than its slot has. Texts and the
receipt are bounded where the request is read (`contract.leases`).
"""

import math
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.leases import Finish
from server.evaluations import conduct
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.events import PLATFORM

_LOG_SLACK = 4096
_MOMENT = 1.0


def believable(session: Session, evaluation: Evaluation, run: CaseRun, said: Finish) -> Finish:
    """What is kept of `said`.

    Figures that cannot be true are lowered, and the receipt keeps what was said instead.
    """
    most = _most(session, run)
    lowered = {
        name: min(value, most[name])
        for name, value in said.measured
        if name in most and value is not None and value > most[name]
    }
    receipt = dict(said.receipt)
    if lowered:
        receipt["implausible"] = {name: getattr(said, name) for name in lowered}
        _tell(session, run, lowered)
    limits = evaluation.limits
    log = said.log[-(limits.log + _LOG_SLACK) :]
    return said.model_copy(update={"receipt": receipt, "log": log, **lowered})


def _most(session: Session, run: CaseRun) -> dict[str, float]:
    """The largest value that each figure can have: the case's lease is so old, and its slot has so much."""
    age = func.extract("epoch", func.clock_timestamp() - CaseRun.started_at).label("age")
    same = (WorkerSlot.worker_id == CaseRun.worker_id) & (WorkerSlot.name == CaseRun.worker)
    found = session.execute(
        select(age, WorkerSlot.cpus, WorkerSlot.memory, WorkerSlot.gpus, WorkerSlot.gpu_memory)
        .outerjoin(WorkerSlot, same)
        .where(CaseRun.id == run.id)
    ).one()
    seconds = max(0.0, float(found.age or 0)) + _MOMENT
    most: dict[str, float] = {"seconds": seconds, "wait_seconds": seconds}
    if found.cpus:
        most["cpu_seconds"] = seconds * max(1, math.ceil(found.cpus))
        most["peak_memory_bytes"] = found.memory
        most["gpu_memory_bytes"] = found.gpus * found.gpu_memory
    return most


def _tell(session: Session, run: CaseRun, lowered: Mapping[str, object]) -> None:
    if run.worker_id is not None and run.worker is not None:
        what = f"said what cannot be: {', '.join(sorted(lowered))}"
        conduct.tell(session, run.worker_id, run.worker, what, f"case run {run.id}", actor=PLATFORM)
