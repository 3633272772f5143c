"""Whether a challenge is ready to open, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.events import Subject
from contract.readiness import ChallengeReadiness
from contract.texts import Name
from server.accounts.deps import UserDep
from server.audit.looks import Look, looked
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observer_of
from server.readiness import service

router = APIRouter(prefix="/organize", tags=["organizers"])


@router.get("/{slug}/check")
def check_challenge(
    session: SessionDep,
    user: UserDep,
    settings: SettingsDep,
    slug: Name,
    phase: Name | None = None,
    labels: Annotated[bool, Query(description="read the labels of all cases, which may take minutes")] = True,
) -> ChallengeReadiness:
    """Whether the challenge, or one phase of it, is ready to open: each check ok, a warning or an error."""
    challenge = get_challenge(session, slug)
    observer = observer_of(session, user, challenge)
    looked(session, Subject.CHALLENGE, challenge.id, Look.LABELS, actor=user.actor)
    return service.check(session, challenge, observer, phase=phase, with_labels=labels, settings=settings)
