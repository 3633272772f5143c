"""Lists for admins over HTTP: people, teams, evaluations; and what an admin decides about a person."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from server.accounts import passwords
from server.accounts import service as accounts
from server.accounts.schemas import PasswordResetOut
from server.admin import evaluations, pages, people
from server.admin.schemas import AdminIn, EvaluationRow, EvaluationShown, Page, PersonOut, TeamRow
from server.deps import AdminDep, SessionDep
from server.evaluations.status import EvaluationStatus
from server.evaluations.waiting import Which

router = APIRouter(prefix="/admin", tags=["admin"])

After = Annotated[UUID | None, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=pages.MOST)]
Name = Annotated[str | None, Query(max_length=200)]


@router.get("/users")
def list_people(
    session: SessionDep, admin: AdminDep, find: Name = None, after: After = None, limit: Limit = 50
) -> Page[PersonOut]:
    """People in the order they came, with their teams; `find` looks in addresses and names."""
    return people.people(session, find=find, after=after, limit=limit)


@router.patch("/users/{user_id}")
def set_admin(session: SessionDep, admin: AdminDep, user_id: UUID, body: AdminIn) -> PersonOut:
    """Makes a person an admin, or no longer one."""
    account = accounts.set_admin(session, user_id, is_admin=body.is_admin, actor=admin.actor)
    return people.person(session, account)


@router.post("/users/{user_id}/password-reset", status_code=201)
def begin_password_reset(session: SessionDep, admin: AdminDep, user_id: UUID) -> PasswordResetOut:
    """A code that sets a new password once within a day; sessions, tokens and the old password end now."""
    code, expires_at = passwords.begin_reset(session, user_id, actor=admin.actor)
    return PasswordResetOut(code=code, expires_at=expires_at)


@router.get("/teams")
def list_teams(
    session: SessionDep,
    admin: AdminDep,
    challenge: Name = None,
    find: Name = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[TeamRow]:
    """Teams in the order they were founded, with members, standing and attempts."""
    return people.teams(session, challenge=challenge, find=find, after=after, limit=limit)


@router.get("/evaluations")
def list_evaluations(
    session: SessionDep,
    admin: AdminDep,
    challenge: Name = None,
    phase: Name = None,
    track: Name = None,
    task: Name = None,
    team: Name = None,
    status: EvaluationStatus | None = None,
    since: datetime | None = None,
    id: Annotated[str | None, Query(max_length=36)] = None,  # noqa: A002 - the name of the parameter
    after: After = None,
    limit: Limit = 50,
) -> Page[EvaluationRow]:
    """Evaluations, newest first; `id` is the beginning of an evaluation's or a submission's."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    wanted = evaluations.Wanted(Which(challenge, phase, track, task, team), status, since, id)
    return evaluations.evaluations(session, wanted, after=after, limit=limit)


@router.get("/evaluations/{evaluation_id}")
def get_evaluation(session: SessionDep, admin: AdminDep, evaluation_id: UUID) -> EvaluationShown:
    """One evaluation with its cases (by pseudonym) and scores."""
    return evaluations.shown(session, evaluation_id)
