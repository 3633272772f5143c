"""Endpoints of challenges: the public ones, and for admins those that apply a file."""

from datetime import datetime

from fastapi import APIRouter
from sqlalchemy.orm import Session

from server.challenges import plan, service
from server.challenges.models import Challenge
from server.challenges.schemas import (
    ChallengeApplied,
    ChallengeApplyIn,
    ChallengeDetail,
    ChallengeFileIn,
    ChallengeOut,
    PhaseOut,
)
from server.datasets.effects import tasks_in_force
from server.deps import AdminDep, SessionDep, SettingsDep

router = APIRouter(tags=["challenges"])


def _phases(session: Session, challenge: Challenge, at: datetime) -> list[PhaseOut]:
    with_cases = tasks_in_force(session, challenge)
    return [
        PhaseOut(
            name=name,
            title=phase.title,
            opens=phase.opens,
            closes=phase.closes,
            hidden=phase.hidden,
            open=phase.is_open(at),
            attempts=phase.attempts.valid,
            tasks=[task for task in challenge.spec.tasks if task in with_cases.get(name, ())],
        )
        for name, phase in challenge.spec.phases.items()
    ]


def _summary(session: Session, challenge: Challenge, at: datetime) -> ChallengeOut:
    spec = challenge.spec
    return ChallengeOut(
        slug=challenge.slug,
        title=spec.title,
        description=spec.description,
        tracks=list(spec.tracks),
        phases=_phases(session, challenge, at),
    )


@router.get("/challenges")
def list_challenges(session: SessionDep) -> list[ChallengeOut]:
    """Every challenge on this server."""
    at = service.now(session)
    return [_summary(session, challenge, at) for challenge in service.list_challenges(session)]


@router.get("/challenges/{slug}")
def get_challenge(session: SessionDep, slug: str) -> ChallengeDetail:
    """One challenge with its whole file."""
    challenge = service.get_challenge(session, slug)
    summary = _summary(session, challenge, service.now(session))
    spec = challenge.spec
    return ChallengeDetail(**summary.model_dump(), version=spec.digest, spec=spec.model_dump(mode="json"))


@router.post("/admin/challenges/plan", tags=["admin"])
def plan_challenge(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, body: ChallengeFileIn
) -> plan.Plan:
    """What applying this file would change, and what would be asked; nothing is changed."""
    return plan.plan(session, plan.read(body.file, body.overlay, settings=settings), settings=settings)


@router.post("/admin/challenges", tags=["admin"])
def apply_challenge(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, body: ChallengeApplyIn
) -> ChallengeApplied:
    """Make this file the present version of its challenge; 409 with its `questions` where these are not confirmed."""
    spec = plan.read(body.file, body.overlay, settings=settings)
    planned = plan.plan(session, spec, settings=settings)
    changed = plan.apply_planned(session, spec, planned, actor=admin.actor, confirmed=body.confirmed)
    return ChallengeApplied(changed=changed, plan=planned)
