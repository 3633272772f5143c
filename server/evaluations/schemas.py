"""What of evaluations leaves the server in more than one way."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from contract.texts import Line
from server.evaluations.cases import Shown
from server.evaluations.errors import Failed
from server.evaluations.models import CaseRun

_BEGINS_LATE = "Its image met faults in earlier evaluations, so its first cases begin after a pause."


class FailedOut(BaseModel):
    """An evaluation that met faults of the platform.

    `code` and `reason`: why it ended as errored, else the last fault and the worker's or the scorer's words for it.
    `cases_done` have a verdict, which a retry keeps; `cases_parked` wait for a pause to end. `since`: its first fault
    since it was last retried; `ended_at`: null while it goes on.
    """

    id: UUID
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: str
    code: str | None
    reason: str | None
    cases: int
    cases_done: int
    cases_parked: int
    image: str
    worker: str | None
    since: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Failed) -> Self:
        """The same with its names."""
        evaluation, last = one.evaluation, one.last
        told = last.detail if last is not None else _BEGINS_LATE if one.parked else None
        return cls(
            id=evaluation.id,
            challenge=one.challenge,
            phase=evaluation.phase,
            track=evaluation.track,
            task=evaluation.task,
            team=one.team,
            status=evaluation.status,
            code=evaluation.reason_code or (last.code if last is not None else None),
            reason=evaluation.trouble or told,
            cases=one.total,
            cases_done=one.done,
            cases_parked=one.parked,
            image=evaluation.image.digest,
            worker=last.worker if last is not None else None,
            since=one.since,
            ended_at=evaluation.finished_at,
        )


class ErrorsOut(BaseModel):
    """What the platform failed at: evaluations that ended as errored, and those with cases that are parked."""

    errored: list[FailedOut]
    parked: list[FailedOut]


class CaseOut(BaseModel):
    """One case run. `case` is its public name in a public phase and the container's pseudonym in a hidden one.

    `log` is the end of the container's log in a list, all of it where one case is asked for; `log_length` is the whole
    log's in characters.
    """

    id: UUID
    case: str
    status: str
    verdict: str | None
    message: str | None
    warnings: list[str]
    seconds: float | None
    peak_memory_bytes: int | None
    faults: int
    log: str | None
    log_length: int


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


def case_out(shown: Shown, name: str) -> CaseOut:
    """A case under the name that its reader may know."""
    run = shown.run
    return CaseOut(
        id=run.id,
        case=name,
        status=run.status,
        verdict=run.verdict,
        message=run.message,
        warnings=run.warnings,
        seconds=run.seconds,
        peak_memory_bytes=run.peak_memory_bytes,
        faults=run.faults,
        log=shown.log,
        log_length=shown.log_length,
    )


def case_for_admin_out(shown: Shown) -> CaseAdminOut:
    """The same for admins, under its pseudonym."""
    run = shown.run
    return CaseAdminOut(
        **case_out(shown, run.pseudonym).model_dump(),
        worker=run.worker,
        claim_no=run.claim_no,
        started_at=run.started_at,
        finished_at=run.finished_at,
        slot=_slot_seconds(run),
        mode=run.mode,
        cpu_seconds=run.cpu_seconds,
        gpu_memory_bytes=run.gpu_memory_bytes,
        wait_seconds=run.wait_seconds,
    )


def _slot_seconds(run: CaseRun) -> float | None:
    """How long the case held its slot: from lease to verdict."""
    if run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()


class RetryIn(BaseModel):
    """Why an evaluation is retried or excused; the event keeps it."""

    why: Annotated[str, Line(1000)] | None = None


class ReceiptOut(BaseModel):
    """A receipt: the statement and the Ed25519 signature, in base64, of its canonical JSON.

    `key` is the public key that it verifies with; null where none of this server's does.
    """

    statement: dict[str, Any]
    signature: str
    key: str | None


class ReceiptKeyOut(BaseModel):
    """An Ed25519 public key of this server's receipts, in base64; `retired_at` is null for the one in use."""

    algorithm: Literal["Ed25519"] = "Ed25519"
    key: str
    created_at: datetime
    retired_at: datetime | None
