"""Endpoints of challenges: the public ones, and for admins those that apply a file."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy.orm import Session

from contract.challenges import (
    ChallengeApplied,
    ChallengeApplyIn,
    ChallengeDetail,
    ChallengeFileIn,
    ChallengeOut,
    PhaseOut,
    Plan,
)
from contract.texts import Name
from server.challenges import plan, service
from server.challenges.models import Challenge
from server.clock import now
from server.datasets.effects import tasks_in_force
from server.deps import AdminDep, SessionDep, SettingsDep

router = APIRouter(tags=["challenges"])


def _phases(challenge: Challenge, at: datetime, with_cases: Mapping[str, set[str]]) -> list[PhaseOut]:
    return [
        PhaseOut.of(
            phase,
            name=name,
            open=phase.is_open(at),
            attempts=phase.attempts.valid,
            tasks=[task for task in challenge.spec.tasks if task in with_cases.get(name, ())],
        )
        for name, phase in challenge.spec.phases.items()
    ]


def _summaries(session: Session, challenges: Sequence[Challenge]) -> list[ChallengeOut]:
    at, with_cases = now(session), tasks_in_force(session, challenges)
    return [
        ChallengeOut.of(
            challenge,
            challenge.spec,
            tracks=list(challenge.spec.tracks),
            phases=_phases(challenge, at, with_cases[challenge.id]),
        )
        for challenge in challenges
    ]


@router.get("/challenges")
def list_challenges(session: SessionDep) -> list[ChallengeOut]:
    """Every challenge on this server."""
    return _summaries(session, service.list_challenges(session))


@router.get("/challenges/{slug}")
def get_challenge(session: SessionDep, slug: Name) -> ChallengeDetail:
    """One challenge with its whole file."""
    challenge = service.get_challenge(session, slug)
    (summary,), spec = _summaries(session, [challenge]), challenge.spec
    return ChallengeDetail.of(summary, version=spec.digest, spec=spec.model_dump(mode="json"))


@router.post("/admin/challenges/plan", tags=["admin"])
def plan_challenge(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, body: ChallengeFileIn
) -> Plan:
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
