"""Endpoints of single evaluations for their teams, and an errored one's retry."""

from fastapi import APIRouter

from contract.evaluations import CaseOut, ReceiptOut, RetryIn
from contract.ids import CaseRunId, EvaluationId
from contract.submissions import EvaluationOut
from server.accounts.deps import UserDep
from server.deps import SessionDep, SettingsDep
from server.evaluations import cases
from server.evaluations.access import organizer_of_evaluation
from server.evaluations.api import After, Limit
from server.evaluations.views import case_out
from server.submissions import access, views
from server.submissions.receipts import own_receipt
from server.submissions.retry import retry
from server.submissions.withdrawal import withdraw

router = APIRouter(tags=["evaluations"])


@router.get("/evaluations/{evaluation_id}")
def get_evaluation(session: SessionDep, user: UserDep, evaluation_id: EvaluationId) -> EvaluationOut:
    """One evaluation of your team."""
    submission, evaluation = access.own_evaluation(session, user, evaluation_id)
    return views.evaluations_out(session, submission, [evaluation])[0]


@router.post("/evaluations/{evaluation_id}/cancel")
def cancel(session: SessionDep, user: UserDep, evaluation_id: EvaluationId) -> EvaluationOut:
    """Withdraws an evaluation that has not ended; its attempt is given back.

    On hidden cases the answer is the same if it has ended and you do not see that yet: which of both it is shows later.
    """
    submission, evaluation = access.own_evaluation(session, user, evaluation_id, scope="submit")
    return withdraw(session, submission, evaluation, actor=user.actor)


@router.get("/evaluations/{evaluation_id}/receipt")
def get_receipt(
    session: SessionDep, settings: SettingsDep, user: UserDep, evaluation_id: EvaluationId
) -> ReceiptOut:
    """The signed statement of what ran on what, as soon as you see that it is scored and what its scores are.

    Of hidden cases it says how many there were and counts their verdicts.
    """
    submission, evaluation = access.own_evaluation(session, user, evaluation_id)
    return own_receipt(session, submission, evaluation, settings=settings)


@router.get("/evaluations/{evaluation_id}/cases")
def list_cases(
    session: SessionDep, user: UserDep, evaluation_id: EvaluationId, after: After = None, limit: Limit = 100
) -> list[CaseOut]:
    """The cases with verdict and the end of the log, page by page; of a phase with public cases only."""
    evaluation = access.evaluation_with_public_cases(session, user, evaluation_id)
    return [
        case_out(case, case.run.case.name)
        for case in cases.page(session, evaluation, after=after, limit=limit)
    ]


@router.get("/evaluations/{evaluation_id}/cases/{case_id}")
def get_case(session: SessionDep, user: UserDep, evaluation_id: EvaluationId, case_id: CaseRunId) -> CaseOut:
    """One case with verdict and all of its log; of a phase with public cases only."""
    evaluation = access.evaluation_with_public_cases(session, user, evaluation_id)
    shown = cases.one(session, evaluation, case_id)
    return case_out(shown, shown.run.case.name)


@router.post("/admin/evaluations/{evaluation_id}/retry", status_code=204)
def post_retry(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    evaluation_id: EvaluationId,
    wanted: RetryIn | None = None,
) -> None:
    """Puts an errored evaluation back: cases that are done keep their outputs, and its team is never refused for it."""
    organizer = organizer_of_evaluation(session, user, evaluation_id)
    why = None if wanted is None else wanted.why
    retry(session, evaluation_id, actor=organizer.actor, settings=settings, why=why)
