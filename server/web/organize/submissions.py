"""What teams submitted, one by one: what came of it, and what organizers may do about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from contract.admin import EvaluationRow, Page
from contract.decisions import ActIn
from contract.ids import CaseRunId, EvaluationId
from contract.problems import ErrorCode
from contract.statuses import ENDED, EvaluationStatus
from server.admin import evaluations, participant
from server.admin.pages import MOST
from server.audit.looks import Look
from server.decisions.api import plan_unvoid, plan_void
from server.errors import NotFound
from server.evaluations import access, cases
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt
from server.evaluations.views import case_for_admin_out
from server.queue.waiting import Which
from server.submissions.models import Submission
from server.web.organize.room import REASON, Room, RoomDep, Typed
from server.web.queries import moment_of
from server.web.tried import tried

router = APIRouter(prefix="/organize/{slug}/submissions", include_in_schema=False)

_PAGE = 50
_CASES = 50
"""Cases that a page shows, each with the end of its log."""


@router.get("", response_class=HTMLResponse)
def submissions(
    room: RoomDep,
    phase: Typed = "",
    track: Typed = "",
    task: Typed = "",
    team: Typed = "",
    status: Typed = "",
    since: Typed = "",
    after: Annotated[UUID | None, Query()] = None,
) -> HTMLResponse:
    """Evaluations, newest first, as the filters in the address say."""
    which = Which(
        room.slug,
        phase or None,
        track or None,
        task or None,
        team or None,
        within=frozenset({room.challenge.id}),
    )
    wanted_status = EvaluationStatus(status) if status in list(EvaluationStatus) else None

    def listed() -> Page[EvaluationRow]:
        wanted = evaluations.Wanted(which, wanted_status, moment_of(since))
        return evaluations.evaluations(room.session, wanted, after=after, limit=min(_PAGE, MOST))

    found = tried(listed)
    asked = {"phase": phase, "track": track, "task": task, "team": team, "status": status, "since": since}
    return room.page(
        "submissions",
        status=found.status,
        found=found.plan,
        refused=found.refused,
        asked=asked,
        statuses=[(one.value, one.value) for one in EvaluationStatus],
        first=after is None,
    )


@router.get("/{evaluation_id}", response_class=HTMLResponse)
def submission(
    room: RoomDep, evaluation_id: EvaluationId, after: Annotated[CaseRunId | None, Query()] = None
) -> HTMLResponse:
    """One evaluation with its cases by pseudonym, and what can be done. That it is looked at is recorded."""
    evaluation = _evaluation(room, evaluation_id, Look.CASES)
    page = cases.page(room.session, evaluation, after=after, limit=_CASES + 1)
    return room.page(
        "submission",
        found=evaluations.shown(room.session, evaluation.id, with_cases=False),
        voided=evaluation.voided,
        cases=[case_for_admin_out(case) for case in page[:_CASES]],
        more=len(page) > _CASES,
        first=after is None,
        ended=evaluation.status in ENDED,
        signed=room.session.get(Receipt, evaluation.id) is not None,
        told=_told(room, evaluation),
    )


@router.get("/{evaluation_id}/cases/{case_id}", response_class=HTMLResponse)
def case(room: RoomDep, evaluation_id: EvaluationId, case_id: CaseRunId) -> HTMLResponse:
    """One case by its pseudonym, with all that its container wrote. That it is looked at is recorded."""
    evaluation = _evaluation(room, evaluation_id, Look.LOG)
    shown = case_for_admin_out(cases.one(room.session, evaluation, case_id))
    return room.page("run", case=shown, evaluation=evaluation)


@router.get("/{evaluation_id}/void", response_class=HTMLResponse)
def void(room: RoomDep, evaluation_id: EvaluationId) -> HTMLResponse:
    """What taking it off the boards would change, and the form that does it; of a void one the way back."""
    evaluation = _evaluation(room, evaluation_id, Look.CASES)
    act, plan = ("unvoid", plan_unvoid) if evaluation.voided else ("void", plan_void)
    made = tried(lambda: plan(room.slug, evaluation.id, ActIn(why=REASON), room.session, room.user))
    return room.page(
        "void",
        status=made.status,
        found=evaluations.shown(room.session, evaluation.id, with_cases=False),
        act=act,
        plan=made.plan,
        refused=made.refused,
    )


def _evaluation(room: Room, evaluation_id: EvaluationId, look: Look) -> Evaluation:
    evaluation = access.observed_evaluation(room.session, room.user, evaluation_id, look)
    if evaluation.challenge_id != room.challenge.id:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"{room.slug} has no such evaluation.")
    return evaluation


def _told(room: Room, evaluation: Evaluation) -> str | None:
    """What its team may be told, as the platform shows it to them; nothing of what they do not see."""
    if evaluation.standing not in ("in_force", "void"):
        return None
    submission = room.session.get_one(Submission, evaluation.submission_id)
    return participant.text(room.session, submission, [evaluation])
