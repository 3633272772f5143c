"""Endpoints of evaluations for organizers: their cases, what they cost, receipts, and what the platform failed at."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.bounds import AwareMoment
from contract.evaluations import (
    CancelIn,
    CaseAdminOut,
    ErrorsOut,
    ReceiptKeyOut,
    ReceiptOut,
    RetryIn,
    Summary,
)
from contract.ids import CaseRunId, EvaluationId
from contract.texts import Name
from server.accounts.deps import UserDep
from server.audit.looks import Look
from server.deps import SessionDep, SettingsDep
from server.evaluations import access, cases, errors, receipt_keys, receipts, summary
from server.evaluations.excuse import call_off, excuse
from server.evaluations.views import case_for_admin_out, failed_out
from server.organizers.access import observed

router = APIRouter(tags=["evaluations"])

After = Annotated[CaseRunId | None, Query(description="`id` of the last case of the page before")]
Limit = Annotated[int, Query(ge=1, le=cases.MOST, description="Fewer come only where the list ends")]


@router.get("/receipts/key")
def get_receipt_key(settings: SettingsDep) -> dict[str, str]:
    """The Ed25519 public key of this server's receipts, in base64."""
    return {"algorithm": "Ed25519", "key": receipts.public_key(settings)}


@router.get("/receipts/keys")
def list_receipt_keys(session: SessionDep) -> list[ReceiptKeyOut]:
    """Every public key that this server's receipts were signed with, the one in use first."""
    return [
        ReceiptKeyOut.of(row, algorithm="Ed25519", key=row.public_key)
        for row in receipt_keys.receipt_keys(session)
    ]


@router.get("/admin/evaluations/{evaluation_id}/receipt")
def get_receipt(session: SessionDep, user: UserDep, evaluation_id: EvaluationId) -> ReceiptOut:
    """The signed statement of what ran on what, with what; the signature is over its canonical JSON."""
    receipt = access.receipt_of(session, user, evaluation_id)
    key = receipt_keys.key_of(session, receipt)
    return ReceiptOut.of(receipt, key=key)


@router.get("/admin/evaluations/{evaluation_id}/cases")
def list_cases_for_admin(
    session: SessionDep, user: UserDep, evaluation_id: EvaluationId, after: After = None, limit: Limit = 100
) -> list[CaseAdminOut]:
    """The cases of any evaluation, under their pseudonyms, with the ends of the containers' logs, page by page."""
    evaluation = access.observed_evaluation(session, user, evaluation_id, Look.CASES)
    return [case_for_admin_out(case) for case in cases.page(session, evaluation, after=after, limit=limit)]


@router.get("/admin/evaluations/{evaluation_id}/cases/{case_id}")
def get_case_for_admin(
    session: SessionDep, user: UserDep, evaluation_id: EvaluationId, case_id: CaseRunId
) -> CaseAdminOut:
    """One case of any evaluation, under its pseudonym, with all of the container's log."""
    evaluation = access.observed_evaluation(session, user, evaluation_id, Look.LOG)
    return case_for_admin_out(cases.one(session, evaluation, case_id))


@router.get("/admin/evaluations/{evaluation_id}/summary")
def get_summary(session: SessionDep, user: UserDep, evaluation_id: EvaluationId) -> Summary:
    """What an evaluation has cost: verdicts, ways of running, seconds, memory, faults."""
    return summary.summary_of(session, access.observed_evaluation(session, user, evaluation_id, Look.CASES))


@router.get("/admin/errors")
def list_errors(
    session: SessionDep,
    user: UserDep,
    challenge: Name | None = None,
    since: AwareMoment | None = None,
) -> ErrorsOut:
    """Evaluations that ended as errored, the latest first (with `since`, from then on), and those that are parked."""
    within = observed(session, user, challenge)
    errored = errors.errored(session, challenge=challenge, since=since, within=within)
    parked = errors.parked(session, challenge=challenge, within=within)
    return ErrorsOut(
        errored=[failed_out(failed) for failed in errored], parked=[failed_out(failed) for failed in parked]
    )


@router.post("/admin/evaluations/{evaluation_id}/excuse", status_code=204)
def post_excuse(
    session: SessionDep, user: UserDep, evaluation_id: EvaluationId, wanted: RetryIn | None = None
) -> None:
    """Takes a rejected or cancelled evaluation out of its team's failures of the week."""
    organizer = access.organizer_of_evaluation(session, user, evaluation_id)
    excuse(session, evaluation_id, actor=organizer.actor, why=None if wanted is None else wanted.why)


@router.post("/admin/evaluations/{evaluation_id}/cancel", status_code=204)
def post_cancel(session: SessionDep, user: UserDep, evaluation_id: EvaluationId, wanted: CancelIn) -> None:
    """Cancels an evaluation for its team, which reads why; no attempt is spent, and it is no failure of the week."""
    organizer = access.organizer_of_evaluation(session, user, evaluation_id)
    call_off(session, evaluation_id, actor=organizer.actor, why=wanted.why)
