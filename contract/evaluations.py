"""What is sent and answered of evaluations and their cases, for their teams and for admins."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from contract.answers import Answer, Id, Older, OrNewer
from contract.decisions import Reason
from contract.statuses import CaseStatus, EvaluationStatus
from contract.texts import Line


class FailedOut(Answer):
    """An evaluation that met faults of the platform.

    `code` and `reason`: why it ended as errored, else the last fault and the worker's or the scorer's words for it.
    `cases_done` have a verdict, which a retry keeps; `cases_parked` wait for a pause to end. `since`: its first fault
    since it was last retried; `ended_at`: null while it goes on.
    """

    id: Id
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    code: str | None
    reason: str | None
    cases: int
    cases_done: int
    cases_parked: int
    image: str
    worker: str | None
    since: datetime | None
    ended_at: datetime | None


class ErrorsOut(Answer):
    """What the platform failed at: evaluations that ended as errored, and those with cases that are parked."""

    errored: list[FailedOut]
    parked: list[FailedOut]


class CaseOut(Answer):
    """One case run. `case` is its public name in a public phase and the container's pseudonym in a hidden one.

    `log` is the end of the container's log in a list, all of it where one case is asked for; `log_length` is the whole
    log's in characters.
    """

    id: Annotated[Id, Older("")]
    case: str
    status: Annotated[CaseStatus | str, OrNewer()]
    verdict: str | None
    message: str | None
    warnings: list[str]
    seconds: float | None
    peak_memory_bytes: int | None
    faults: int
    log: str | None
    log_length: Annotated[int, Older(0)]


class CaseAdminOut(CaseOut):
    """One case run as admins see it; `slot` is the seconds from lease to verdict, `wait_seconds` until its clock."""

    worker: str | None
    claim_no: int
    started_at: datetime | None
    finished_at: datetime | None
    slot: float | None
    mode: str | None
    cpu_seconds: float | None
    gpu_memory_bytes: int | None
    wait_seconds: float | None


class RetryIn(BaseModel):
    """Why an evaluation is retried or excused; the event keeps it."""

    why: Annotated[str, Line(1000)] | None = None


class CancelIn(BaseModel):
    """Why an evaluation is cancelled for its team, which reads it."""

    why: Reason


class ReceiptOut(Answer):
    """A receipt: the statement and the Ed25519 signature, in base64, of its canonical JSON.

    `key` is the public key that it verifies with; null where none of this server's does.
    """

    statement: dict[str, Any]
    signature: str
    key: str | None


class ReceiptKeyOut(Answer):
    """An Ed25519 public key of this server's receipts, in base64; `retired_at` is null for the one in use."""

    algorithm: Literal["Ed25519"]
    key: str
    created_at: datetime
    retired_at: datetime | None


class Spread(Answer):
    """Smallest, median and largest of what was measured, and the sum; null where nothing was."""

    low: float | None
    median: float | None
    high: float | None
    total: float | None


class Summary(Answer):
    """Counts of cases by status, verdict and way of running, and what they used.

    Seconds by the wall, on processors and from lease to the start of the clock; memory in bytes. `faults` counts ours.
    """

    statuses: dict[str, int]
    verdicts: dict[str, int]
    modes: dict[str, int]
    seconds: Spread
    cpu_seconds: Spread
    wait_seconds: Spread
    peak_memory_bytes: int | None
    peak_gpu_memory_bytes: int | None
    faults: int
    fresh_only: bool
