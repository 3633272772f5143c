"""Endpoints of submissions and quotas."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from contract.ids import SubmissionId, TeamId
from contract.submissions import AttemptMove, AttemptMovesOut, QuotaOut, SubmissionIn, SubmissionOut
from contract.texts import REQUIRED, Name
from server.accounts.deps import UserDep
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.submissions import quota, service, views
from server.submissions.ledger import ledger
from server.teams.membership import require_member

router = APIRouter(tags=["submissions"])

Before = Annotated[SubmissionId | None, Query(description="The last submission of the page before")]


@router.post(
    "/challenges/{slug}/submissions",
    status_code=201,
    responses={200: {"model": SubmissionOut, "description": "The same Idempotency-Key again"}},
)
def submit(
    session: SessionDep,
    settings: SettingsDep,
    user: UserDep,
    slug: Name,
    wanted: SubmissionIn,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(json_schema_extra={"minLength": 1, "maxLength": service.MOST_OF_A_KEY, **REQUIRED})
    ] = None,
) -> SubmissionOut:
    """Submits an image per task; one evaluation each is queued."""
    challenge = get_challenge(session, slug)
    submission, new = service.submit(
        session,
        user,
        challenge,
        team_id=wanted.team,
        track=wanted.track,
        phase=wanted.phase,
        images=wanted.images,
        idempotency_key=idempotency_key,
        settings=settings,
        commit=None if wanted.source is None else wanted.source.commit,
        clean=None if wanted.source is None else wanted.source.clean,
    )
    response.status_code = 201 if new else 200
    return views.submission_out(session, submission)


@router.get("/challenges/{slug}/submissions")
def list_submissions(
    session: SessionDep,
    user: UserDep,
    slug: Name,
    team: TeamId | None = None,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> list[SubmissionOut]:
    """The submissions of your team, newest first: `limit` of them, and with `before` those that came earlier."""
    own = service.own_team(session, user, get_challenge(session, slug), team)
    return views.submissions_out(session, service.list_submissions(session, own, limit=limit, before=before))


@router.get("/submissions/{submission_id}")
def get_submission(session: SessionDep, user: UserDep, submission_id: SubmissionId) -> SubmissionOut:
    """One submission with the state of its evaluations."""
    return views.submission_out(session, service.get_submission(session, user, submission_id))


@router.get("/teams/{team_id}/attempts")
def list_attempts(
    session: SessionDep,
    user: UserDep,
    team_id: TeamId,
    phase: Name | None = None,
    track: Name | None = None,
    task: Name | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> AttemptMovesOut:
    """Your team's attempts move by move, newest first: taken, spent, given back and granted, why, and what was left."""
    team = require_member(session, user, team_id)
    spec = session.get_one(Challenge, team.challenge_id).spec
    moves = [
        AttemptMove.of(move)
        for move in reversed(ledger(session, spec, team_id=team_id))
        if phase in (None, move.phase) and track in (None, move.track) and task in (None, move.task)
    ]
    return AttemptMovesOut(moves=moves[:limit], more=len(moves) > limit)


@router.get("/challenges/{slug}/quota")
def get_quota(session: SessionDep, user: UserDep, slug: Name, team: TeamId | None = None) -> list[QuotaOut]:
    """What is left of your team's attempts, and of the evaluations that may be rejected in seven days."""
    challenge = get_challenge(session, slug)
    own = service.own_team(session, user, challenge, team)
    return [views.quota_out(both) for both in quota.quotas(session, challenge.spec, team_id=own.id)]
