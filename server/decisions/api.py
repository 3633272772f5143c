"""Endpoints of organizers' decisions: each has a plan, which changes nothing, and the act itself."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.decisions import ActIn, ActPlan, Decision, DecisionIn, GrantIn, GrantRow, Ledger
from contract.ids import EvaluationId, TeamId
from contract.submissions import EvaluationOut
from contract.teams import TeamOut
from contract.texts import Name
from server.accounts.deps import UserDep
from server.challenges.service import get_challenge
from server.decisions import attempts, merging, teams, voiding
from server.deps import SessionDep
from server.organizers.access import observer_of, organizer_of
from server.submissions import views
from server.submissions.models import Submission

router = APIRouter(prefix="/organize/{slug}", tags=["organizers"])

Before = Annotated[EvaluationId | None, Query(description="The last entry of the page before")]
Limit = Annotated[int, Query(ge=1, le=attempts.MOST)]


@router.post("/teams/{team_id}/decisions/plan")
def plan_decision(
    slug: Name, team_id: TeamId, body: DecisionIn, session: SessionDep, user: UserDep
) -> ActPlan:
    """What a decision about a team would change: places, prizes, and what its members read. Nothing is changed."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    if body.decision is Decision.MERGE:
        act = merging.planned(session, observer, challenge, team_id, body.into, counts=body.counts)
    else:
        given = body.model_dump(include={"why", "name", "disclaimer"})
        act = teams.planned(session, observer, team_id, body.decision, **given)
    return act.plan(session, challenge)


@router.post("/teams/{team_id}/decisions")
def decide(slug: Name, team_id: TeamId, body: DecisionIn, session: SessionDep, user: UserDep) -> TeamOut:
    """Decides about a team, and answers how it stands then."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    if body.decision is Decision.MERGE:
        given = body.model_dump(include={"why", "seen", "counts"})
        return TeamOut.of(merging.merge(session, organizer, challenge, team_id, body.into, **given))
    given = body.model_dump(include={"why", "seen", "name", "disclaimer"})
    return TeamOut.of(teams.decide(session, organizer, challenge, team_id, body.decision, **given))


@router.get("/teams/{team_id}/attempts")
def get_attempts(
    slug: Name,
    team_id: TeamId,
    session: SessionDep,
    user: UserDep,
    before: Before = None,
    limit: Limit = 100,
) -> Ledger:
    """A team's attempts entry by entry: what spends or holds one, what was given back and why; and its grants."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    return attempts.ledger(session, observer, challenge, team_id, before=before, limit=limit)


@router.post("/teams/{team_id}/grants/plan")
def plan_grant(slug: Name, team_id: TeamId, body: GrantIn, session: SessionDep, user: UserDep) -> ActPlan:
    """What a grant of attempts would change."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    return attempts.planned(session, observer, challenge, team_id, body).plan(session, challenge)


@router.post("/teams/{team_id}/grants", status_code=201)
def grant_attempts(
    slug: Name, team_id: TeamId, body: GrantIn, session: SessionDep, user: UserDep
) -> GrantRow:
    """Gives a team valid attempts on one task, track and phase, or takes some."""
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    granted = attempts.grant(session, organizer, challenge, team_id, body)
    return attempts.grant_rows(session, [granted])[0]


@router.post("/evaluations/{evaluation_id}/void/plan")
def plan_void(
    slug: Name, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep
) -> ActPlan:
    """What voiding an evaluation would change."""
    return _plan_void(slug, evaluation_id, body, session, user, void=True)


@router.post("/evaluations/{evaluation_id}/void")
def void(
    slug: Name, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep
) -> EvaluationOut:
    """Takes a scored evaluation off the boards; its attempt is given back, and its team reads why."""
    return _set_void(slug, evaluation_id, body, session, user, void=True)


@router.post("/evaluations/{evaluation_id}/unvoid/plan")
def plan_unvoid(
    slug: Name, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep
) -> ActPlan:
    """What would change if a void evaluation counted again."""
    return _plan_void(slug, evaluation_id, body, session, user, void=False)


@router.post("/evaluations/{evaluation_id}/unvoid")
def unvoid(
    slug: Name, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep
) -> EvaluationOut:
    """Brings a void evaluation back to the boards; its attempt is spent again."""
    return _set_void(slug, evaluation_id, body, session, user, void=False)


def _plan_void(
    slug: str, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep, *, void: bool
) -> ActPlan:
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    act = voiding.planned(session, observer, challenge, evaluation_id, void=void, why=body.why)
    return act.plan(session, challenge)


def _set_void(
    slug: str, evaluation_id: EvaluationId, body: ActIn, session: SessionDep, user: UserDep, *, void: bool
) -> EvaluationOut:
    challenge = get_challenge(session, slug)
    organizer = organizer_of(session, user, challenge)
    given = body.model_dump(include={"why", "seen"})
    row = voiding.set_void(session, organizer, challenge, evaluation_id, void=void, **given)
    return views.evaluations_out(session, session.get_one(Submission, row.submission_id), [row])[0]
