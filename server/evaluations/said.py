"""What a run worker says of a case, brought to what can be true and can be kept; a verdict is never lost for it.

Its host may be in anybody's hands. So texts are ones that the database, JSON and a terminal bear, receipts have a
bounded size and depth, and no case took longer than it was leased or more than its slot has.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evaluator.verdicts import Fault
from server.evaluations import conduct
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.events import PLATFORM

MOST_RECEIPT = 64 * 2**10
"""Bytes of a receipt as JSON; a real one has about three thousand."""
MOST_KEYS = 50
_DEEPEST, _LONGEST_KEY = 8, 100
_LOG_SLACK = 4096
_MOMENT = 1.0
_WHOLE = 2**63
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` as a column can hold it: NUL or half a surrogate pair must not make a verdict unstorable."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True)
class Finished:
    """What a run worker says of a case that ended by the container's own doing."""

    fault: Fault | None
    check: str | None
    message: str
    warnings: list[str]
    output: str | None
    seconds: float
    peak_memory_bytes: int | None
    log: str
    receipt: dict[str, object]
    cpu_seconds: float | None = None
    gpu_memory_bytes: int | None = None
    wait_seconds: float | None = None
    repeat_agrees: bool | None = None
    detail: str = ""

    @property
    def code(self) -> str:
        """The verdict's code: valid, a fault, or output_invalid:<check>."""
        if self.fault is None:
            return "valid"
        return f"{self.fault}:{self.check}" if self.check else str(self.fault)


def believable(session: Session, evaluation: Evaluation, run: CaseRun, said: Finished) -> Finished:
    """What is kept of `said`, whose texts and receipt were bounded when the request was read.

    Figures that cannot be true are lowered, and the receipt keeps what was said instead.
    """
    most = _most(session, run)
    figures = {name: getattr(said, name) for name in most}
    lowered = {
        name: min(value, most[name])
        for name, value in figures.items()
        if value is not None and value > most[name]
    }
    receipt = dict(said.receipt)
    if lowered:
        receipt["implausible"] = {name: _plain(figures[name], 0) for name in lowered}
        _tell(session, run, lowered)
    limits = evaluation.spec_version.spec.limits_of(evaluation.task)
    return replace(said, receipt=receipt, log=said.log[-(limits.log + _LOG_SLACK) :], **lowered)


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


def kept(receipt: object) -> object:
    """A receipt as a request has it, brought to its bounds; what is none is left to whoever reads the request."""
    return _bounded(receipt) if isinstance(receipt, Mapping) else receipt


def _bounded(receipt: Mapping[str, object]) -> dict[str, Any]:
    """The receipt with plain values; one that is too large or too deep is left out, and that is said."""
    plain = _plain(receipt, 0)
    size = len(json.dumps(plain, ensure_ascii=False).encode())
    if size <= MOST_RECEIPT and len(plain) <= MOST_KEYS:
        return dict(plain)
    short = {"left_out": f"The worker's receipt had {size:,} bytes; {MOST_RECEIPT:,} are kept at most."}
    return short | {key: True for key in ("invoke",) if receipt.get(key) is True}


def _plain(value: object, depth: int) -> Any:
    """`value` as JSON of bounded depth, in which every text can be kept and every number is one."""
    if isinstance(value, str):
        return storable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _WHOLE else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {storable(str(key))[:_LONGEST_KEY]: _plain(one, depth + 1) for key, one in value.items()}
    return [_plain(one, depth + 1) for one in value] if isinstance(value, list | tuple) else None
