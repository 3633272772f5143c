"""Lists for admins over HTTP, some of them for organizers too; and what an admin decides about a person."""

from datetime import UTC
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from contract.accounts import PasswordResetOut
from contract.admin import (
    AdminIn,
    AnsweredOut,
    ClosingIn,
    EndedOut,
    EvaluationRow,
    EvaluationShown,
    Page,
    PersonOut,
    RevokedOut,
    TeamRow,
    WorkerReads,
    WorkerRow,
)
from contract.bounds import Moment
from contract.events import EventOut, Subject
from contract.ids import EvaluationId, TokenId, UserId
from contract.statuses import EvaluationStanding, EvaluationStatus
from contract.texts import Line
from server.accounts import access, passwords
from server.accounts import service as accounts
from server.accounts.deps import AdminDep, UserDep
from server.admin import evaluations, event_log, pages, people, workers
from server.audit.looks import Look
from server.closing import service as closing
from server.deps import SessionDep, SettingsDep
from server.evaluations.access import observed_evaluation
from server.organizers.access import observed
from server.queue.waiting import Which

router = APIRouter(prefix="/admin", tags=["admin"])

_Beginning = Annotated[
    str, Line(36), Field(json_schema_extra={"pattern": "^([0-9a-fA-F]-*){4,32}$", "minLength": 4})
]
After = Annotated[UUID | None, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=pages.MOST)]
Since = Annotated[
    Moment | None, Query(description="Only what it answered from then on; UTC if it says nothing")
]
Until = Annotated[Moment | None, Query(description="Only what it answered before; UTC if it says nothing")]
Name = Annotated[Annotated[str, Line(200)] | None, Query()]


@router.get("/users")
def list_people(
    session: SessionDep, admin: AdminDep, find: Name = None, after: After = None, limit: Limit = 50
) -> Page[PersonOut]:
    """People in the order they came, with their teams; `find` looks in addresses and names."""
    return people.people(session, find=find, after=after, limit=limit)


@router.patch("/users/{user_id}")
def set_admin(session: SessionDep, admin: AdminDep, user_id: UserId, body: AdminIn) -> PersonOut:
    """Makes a person an admin, or no longer one."""
    account = accounts.set_admin(session, user_id, is_admin=body.is_admin, actor=admin.actor)
    return people.person(session, account)


@router.post("/users/{user_id}/password-reset", status_code=201)
def begin_password_reset(session: SessionDep, admin: AdminDep, user_id: UserId) -> PasswordResetOut:
    """A code that sets a new password once within a day; sessions, tokens and the old password end now."""
    code, expires_at = passwords.begin_reset(session, user_id, actor=admin.actor)
    return PasswordResetOut(code=code, expires_at=expires_at)


@router.delete("/users/{user_id}/tokens")
def revoke_tokens(
    session: SessionDep,
    admin: AdminDep,
    settings: SettingsDep,
    user_id: UserId,
    and_workers: Annotated[
        bool, Query(alias="workers", description="run workers' tokens that they made end too")
    ] = False,
) -> EndedOut:
    """Ends all sessions, API tokens and pending codes of a person, who may log in again."""
    ended = access.revoke_all(session, user_id, actor=admin.actor)
    made = (
        workers.revoke_made_by(session, user_id, actor=admin.actor, settings=settings) if and_workers else 0
    )
    return EndedOut(sessions=ended.sessions, tokens=ended.tokens, workers=made)


@router.post("/users/{user_id}/close")
def close_account(
    session: SessionDep,
    admin: AdminDep,
    settings: SettingsDep,
    user_id: UserId,
    body: ClosingIn | None = None,
) -> PersonOut:
    """Closes an account: sessions, tokens, codes and invitations end, and the person leaves their teams."""
    body = body or ClosingIn()
    account = closing.close_account(session, user_id, actor=admin.actor, why=body.why)
    if body.workers:
        workers.revoke_made_by(session, user_id, actor=admin.actor, settings=settings)
    return people.person(session, account)


@router.post("/users/{user_id}/reopen")
def reopen_account(session: SessionDep, admin: AdminDep, user_id: UserId) -> PersonOut:
    """Opens a closed account again."""
    return people.person(session, closing.reopen_account(session, user_id, actor=admin.actor))


@router.get("/teams")
def list_teams(
    session: SessionDep,
    user: UserDep,
    challenge: Name = None,
    find: Name = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[TeamRow]:
    """Teams in the order they were founded, with members, standing and attempts; of the asker's challenges."""
    within = observed(session, user, challenge)
    return people.teams(session, challenge=challenge, find=find, within=within, after=after, limit=limit)


@router.get("/evaluations")
def list_evaluations(
    session: SessionDep,
    user: UserDep,
    challenge: Name = None,
    phase: Name = None,
    track: Name = None,
    task: Name = None,
    team: Name = None,
    status: EvaluationStatus | None = None,
    standing: EvaluationStanding | None = None,
    since: Moment | None = None,
    id: Annotated[_Beginning | None, Query()] = None,  # noqa: A002 - the name of the parameter
    after: After = None,
    limit: Limit = 50,
) -> Page[EvaluationRow]:
    """Evaluations of the asker's challenges, newest first; `id` is the beginning of one's or of a submission's."""
    which = Which(challenge, phase, track, task, team, within=observed(session, user, challenge))
    wanted = evaluations.Wanted(which, status, _utc(since), id, standing)
    return evaluations.evaluations(session, wanted, after=after, limit=limit)


@router.get("/evaluations/{evaluation_id}")
def get_evaluation(session: SessionDep, user: UserDep, evaluation_id: EvaluationId) -> EvaluationShown:
    """One evaluation with its cases (by pseudonym) and scores."""
    return evaluations.shown(session, observed_evaluation(session, user, evaluation_id, Look.CASES).id)


@router.get("/events")
def list_events(
    session: SessionDep,
    user: UserDep,
    subject: Subject | None = None,
    id: Annotated[_Beginning | None, Query()] = None,  # noqa: A002 - the name of the parameter
    actor: Name = None,
    new: Name = None,
    code: Name = None,
    what: Name = None,
    since: Moment | None = None,
    challenge: Name = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[EventOut]:
    """Who changed what in the asker's challenges, when and why, newest first; `id` begins the subject's.

    Without `challenge` admins see all events; those of people, tokens and run workers are of no challenge.
    """
    within = event_log.within(session, challenge, observed(session, user, challenge))
    asked = event_log.Asked(subject, id, actor, new, code, what, _utc(since), within)
    return event_log.events(session, asked, after=after, limit=limit)


@router.get("/workers")
def list_workers(
    session: SessionDep,
    admin: AdminDep,
    retired: Annotated[bool, Query(description="those that were put away too")] = False,
) -> list[WorkerRow]:
    """All run workers' tokens: what their slots did, what they have read, and what is strange about them."""
    return workers.workers(session, retired=retired)


@router.get("/workers/{worker_id}/reads")
def get_worker_reads(session: SessionDep, admin: AdminDep, worker_id: TokenId) -> WorkerReads:
    """The cases and images that were sent to a run worker, by task and by id."""
    return workers.reads_of(session, worker_id)


@router.get("/workers/{worker_id}/answered")
def list_answered(
    session: SessionDep, admin: AdminDep, worker_id: TokenId, since: Since = None, until: Until = None
) -> list[AnsweredOut]:
    """The evaluations in which a run worker answered cases: what to run again where it cannot be trusted."""
    return workers.answered_by(session, worker_id, since=_utc(since), until=_utc(until))


@router.delete("/workers/{worker_id}")
def revoke_worker(
    session: SessionDep, settings: SettingsDep, admin: AdminDep, worker_id: TokenId, since: Since = None
) -> RevokedOut:
    """Revokes a run worker's token and puts its cases back; names the evaluations in which it answered cases."""
    return workers.revoke(session, worker_id, actor=admin.actor, settings=settings, since=_utc(since))


def _utc(at: Moment | None) -> Moment | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
