"""Challenges over HTTP, for everybody."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from fastapi import APIRouter
from sqlalchemy.orm import Session

from contract.challenges import ChallengeDetail, ChallengeOut, PhaseOut
from contract.texts import Name
from server.agreements.service import asked_of
from server.agreements.views import agreement_out
from server.challenges import service
from server.challenges.models import Challenge
from server.clock import now
from server.datasets.current import tasks_in_force
from server.deps import SessionDep, SettingsDep

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
def get_challenge(session: SessionDep, settings: SettingsDep, slug: Name) -> ChallengeDetail:
    """One challenge with its whole file."""
    challenge = service.get_challenge(session, slug)
    (summary,), spec = _summaries(session, [challenge]), challenge.spec
    agreements = [agreement_out(asked) for asked in asked_of(session, challenge.id, None)]
    return ChallengeDetail.of(
        summary,
        version=spec.digest,
        spec=spec.model_dump(mode="json"),
        agreements=agreements,
        registry=settings.registry_host,
    )
