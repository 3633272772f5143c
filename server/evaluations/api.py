"""Endpoints of single evaluations: withdrawing one, its cases where these are public, and what admins see."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from server.bounds import AwareMoment
from server.deps import AdminDep, SessionDep, SettingsDep, UserDep
from server.evaluations import access, cases, errors, receipt_keys, receipts, service, slots, summary
from server.evaluations.excuse import excuse
from server.evaluations.models import CaseRun
from server.evaluations.retry import retry
from server.evaluations.schemas import ErrorsOut, FailedOut, SlotOut, WaitingOut
from server.evaluations.summary import Summary
from server.evaluations.waiting import LEAST_PRIORITY, MOST_PRIORITY, Which, prioritize, waiting
from server.submissions import views
from server.submissions.schemas import EvaluationOut
from server.texts import Line, Name

router = APIRouter(tags=["evaluations"])


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


class PriorityIn(BaseModel):
    """The place of an evaluation in the queue."""

    priority: int = Field(strict=True, ge=LEAST_PRIORITY, le=MOST_PRIORITY)


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


After = Annotated[UUID | None, Query(description="`id` of the last case of the page before")]
Limit = Annotated[int, Query(ge=1, le=cases.MOST, description="Fewer come only where the list ends")]


def _case(shown: cases.Shown, name: str) -> CaseOut:
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


def _case_for_admin(shown: cases.Shown) -> CaseAdminOut:
    run = shown.run
    return CaseAdminOut(
        **_case(shown, run.pseudonym).model_dump(),
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


@router.get("/evaluations/{evaluation_id}")
def get_evaluation(session: SessionDep, user: UserDep, evaluation_id: UUID) -> EvaluationOut:
    """One evaluation of your team."""
    submission, evaluation = access.own_evaluation(session, user, evaluation_id)
    return views.evaluations_out(session, submission, [evaluation])[0]


@router.post("/evaluations/{evaluation_id}/cancel")
def cancel(session: SessionDep, user: UserDep, evaluation_id: UUID) -> EvaluationOut:
    """Withdraws an evaluation that has not ended; its attempt is given back."""
    submission, evaluation = access.own_evaluation(session, user, evaluation_id, scope="submit")
    service.cancel(session, evaluation.id, actor=user.actor)
    return views.evaluations_out(session, submission, [evaluation])[0]


@router.get("/evaluations/{evaluation_id}/cases")
def list_cases(
    session: SessionDep, user: UserDep, evaluation_id: UUID, after: After = None, limit: Limit = 100
) -> list[CaseOut]:
    """The cases with verdict and the end of the log, page by page; of a phase with public cases only."""
    evaluation = access.evaluation_with_public_cases(session, user, evaluation_id)
    return [
        _case(one, one.run.case.name) for one in cases.page(session, evaluation, after=after, limit=limit)
    ]


@router.get("/evaluations/{evaluation_id}/cases/{case_id}")
def get_case(session: SessionDep, user: UserDep, evaluation_id: UUID, case_id: UUID) -> CaseOut:
    """One case with verdict and all of its log; of a phase with public cases only."""
    evaluation = access.evaluation_with_public_cases(session, user, evaluation_id)
    shown = cases.one(session, evaluation, case_id)
    return _case(shown, shown.run.case.name)


@router.get("/receipts/key")
def get_receipt_key(settings: SettingsDep) -> dict[str, str]:
    """The Ed25519 public key of this server's receipts, in base64."""
    return {"algorithm": "Ed25519", "key": receipts.public_key(settings)}


@router.get("/receipts/keys")
def list_receipt_keys(session: SessionDep) -> list[ReceiptKeyOut]:
    """Every public key that this server's receipts were signed with, the one in use first."""
    return [
        ReceiptKeyOut(key=one.public_key, created_at=one.created_at, retired_at=one.retired_at)
        for one in receipt_keys.receipt_keys(session)
    ]


@router.get("/admin/evaluations/{evaluation_id}/receipt")
def get_receipt(session: SessionDep, admin: AdminDep, evaluation_id: UUID) -> ReceiptOut:
    """The signed statement of what ran on what, with what; the signature is over its canonical JSON."""
    receipt = access.receipt_of(session, admin, evaluation_id)
    key = receipt_keys.key_of(session, receipt)
    return ReceiptOut(statement=receipt.statement, signature=receipt.signature, key=key)


@router.get("/admin/evaluations/{evaluation_id}/cases")
def list_cases_for_admin(
    session: SessionDep, admin: AdminDep, evaluation_id: UUID, after: After = None, limit: Limit = 100
) -> list[CaseAdminOut]:
    """The cases of any evaluation, under their pseudonyms, with the ends of the containers' logs, page by page."""
    evaluation = access.any_evaluation(session, admin, evaluation_id)
    return [_case_for_admin(one) for one in cases.page(session, evaluation, after=after, limit=limit)]


@router.get("/admin/evaluations/{evaluation_id}/cases/{case_id}")
def get_case_for_admin(
    session: SessionDep, admin: AdminDep, evaluation_id: UUID, case_id: UUID
) -> CaseAdminOut:
    """One case of any evaluation, under its pseudonym, with all of the container's log."""
    evaluation = access.any_evaluation(session, admin, evaluation_id)
    return _case_for_admin(cases.one(session, evaluation, case_id))


@router.get("/admin/evaluations/{evaluation_id}/summary")
def get_summary(session: SessionDep, admin: AdminDep, evaluation_id: UUID) -> Summary:
    """What an evaluation has cost: verdicts, ways of running, seconds, memory, faults."""
    return summary.summary_of(session, access.any_evaluation(session, admin, evaluation_id))


@router.get("/admin/queue")
def list_queue(session: SessionDep, admin: AdminDep) -> list[WaitingOut]:
    """The next 1,000 evaluations that have cases to run, what an admin put first before all others."""
    return [WaitingOut.of(one) for one in waiting(session, Which(), most=1_000)]


@router.put("/admin/evaluations/{evaluation_id}/priority", status_code=204)
def put_priority(session: SessionDep, admin: AdminDep, evaluation_id: UUID, wanted: PriorityIn) -> None:
    """Puts an evaluation before or behind all others; cases that run go on."""
    prioritize(session, [evaluation_id], wanted.priority, actor=admin.actor)


@router.get("/admin/errors")
def list_errors(
    session: SessionDep,
    admin: AdminDep,
    challenge: Name | None = None,
    since: AwareMoment | None = None,
) -> ErrorsOut:
    """Evaluations that ended as errored, the latest first (with `since`, from then on), and those that are parked."""
    return ErrorsOut(
        errored=[FailedOut.of(one) for one in errors.errored(session, challenge=challenge, since=since)],
        parked=[FailedOut.of(one) for one in errors.parked(session, challenge=challenge)],
    )


@router.post("/admin/evaluations/{evaluation_id}/retry", status_code=204)
def post_retry(
    session: SessionDep,
    settings: SettingsDep,
    admin: AdminDep,
    evaluation_id: UUID,
    wanted: RetryIn | None = None,
) -> None:
    """Puts an errored evaluation back: cases that are done keep their outputs, and its team is never refused for it."""
    why = None if wanted is None else wanted.why
    retry(session, evaluation_id, actor=admin.actor, settings=settings, why=why)


@router.post("/admin/evaluations/{evaluation_id}/excuse", status_code=204)
def post_excuse(
    session: SessionDep, admin: AdminDep, evaluation_id: UUID, wanted: RetryIn | None = None
) -> None:
    """Takes a rejected or cancelled evaluation out of its team's failures of the week."""
    excuse(session, evaluation_id, actor=admin.actor, why=None if wanted is None else wanted.why)


@router.get("/admin/slots")
def list_slots(session: SessionDep, admin: AdminDep) -> list[SlotOut]:
    """Every slot that ever asked for a case: what it offers, what it runs, and why it takes no work if so."""
    return [SlotOut.of(one) for one in slots.slot_states(session)]
