"""The queue, the evaluations, and the run workers that take from it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.admin import EvaluationRow, Page
from contract.ids import TokenId
from contract.statuses import EvaluationStatus
from contract.texts import Line
from server.admin import evaluations, workers
from server.challenges.service import list_challenges
from server.deps import SessionDep
from server.pages import page
from server.queue import slots
from server.queue.views import slot_out, waiting_out
from server.queue.waiting import Which, waiting
from server.web.frame import ADMIN_RAIL
from server.web.looking import AdministratorDep
from server.web.queries import address, given, moment_of
from server.web.tried import tried

router = APIRouter(include_in_schema=False)

_Name = Annotated[str, Line(200)]
_MOST_WAITING = 200
_ANSWERED = 100


@router.get("/admin/queue", response_class=HTMLResponse)
def queue(
    request: Request, session: SessionDep, reader: AdministratorDep, challenge: _Name = ""
) -> HTMLResponse:
    """What waits, in the order in which it is taken."""
    which = Which(given(challenge), None, None, None, None)
    found = waiting_out(session, waiting(session, which, most=_MOST_WAITING + 1))
    return page(
        request,
        "admin/queue.html",
        rail=ADMIN_RAIL,
        challenge=challenge,
        challenges=_slugs(session),
        waiting=found[:_MOST_WAITING],
        more=len(found) > _MOST_WAITING,
    )


@router.get("/admin/workers", response_class=HTMLResponse)
def list_workers(
    request: Request, session: SessionDep, reader: AdministratorDep, retired: bool = False
) -> HTMLResponse:
    """Run workers, and each slot with what it offers and why it takes no work, if so."""
    return page(
        request,
        "admin/workers.html",
        rail=ADMIN_RAIL,
        workers=workers.workers(session, retired=retired),
        slots=[slot_out(state) for state in slots.slot_states(session)],
        retired=retired,
    )


@router.get("/admin/workers/{worker_id}", response_class=HTMLResponse)
def show_worker(
    request: Request, session: SessionDep, reader: AdministratorDep, worker_id: TokenId
) -> HTMLResponse:
    """A run worker: its slots, what it has read and answered, and what can be done with it."""
    worker = workers.worker(session, worker_id)
    answered = workers.answered_by(session, worker_id)
    mine = [slot_out(state) for state in slots.slot_states(session)]
    return page(
        request,
        "admin/worker.html",
        rail=ADMIN_RAIL,
        worker=worker,
        slots=[slot for slot in mine if slot.worker == worker.name],
        reads=workers.reads_of(session, worker_id).tasks,
        answered=answered[:_ANSWERED],
        answers=len(answered),
    )


@router.get("/admin/evaluations", response_class=HTMLResponse)
def list_evaluations(
    request: Request,
    session: SessionDep,
    reader: AdministratorDep,
    challenge: _Name = "",
    phase: _Name = "",
    task: _Name = "",
    team: _Name = "",
    status: Annotated[str, Query(max_length=20)] = "",
    since: Annotated[str, Query(max_length=30)] = "",
    after: UUID | None = None,
) -> HTMLResponse:
    """Evaluations of all challenges, newest first."""
    which = Which(given(challenge), given(phase), None, given(task), given(team))

    def listed() -> Page[EvaluationRow]:
        wanted = evaluations.Wanted(which, _status(status), moment_of(since), None, None)
        return evaluations.evaluations(session, wanted, after=after, limit=50)

    found = tried(listed)
    asked = {
        "challenge": challenge,
        "phase": phase,
        "task": task,
        "team": team,
        "status": status,
        "since": since,
    }
    return page(
        request,
        "admin/evaluations.html",
        rail=ADMIN_RAIL,
        status=found.status,
        found=found.plan,
        refused=found.refused,
        asked=asked,
        base=address("/admin/evaluations", asked),
        after=after,
        challenges=_slugs(session),
        statuses=[status.value for status in EvaluationStatus],
    )


def _slugs(session: SessionDep) -> list[str]:
    return [challenge.slug for challenge in list_challenges(session)]


def _status(asked: str) -> EvaluationStatus | None:
    return next((status for status in EvaluationStatus if status.value == asked), None)
