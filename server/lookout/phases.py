"""Phases that have opened or closed, told once however many clocks look."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from contract.notices import Audience, NoticeKind
from evaluator.spec import Phase
from server.challenges.models import Challenge
from server.challenges.service import list_challenges
from server.clock import now
from server.notices.service import tell
from server.words import moment

_LATE = timedelta(days=1)
"""What opened longer ago is no news: an installation that was off, or a challenge that was imported, tells nothing."""


def tell_phases(session: Session) -> None:
    """Tells everybody in a challenge that a phase has opened or closed."""
    at = now(session)
    for challenge in list_challenges(session):
        if challenge.current_version is None:
            continue
        for name, phase in challenge.spec.phases.items():
            for kind, date in (
                (NoticeKind.PHASE_OPENED, phase.opens),
                (NoticeKind.PHASE_CLOSED, phase.closes),
            ):
                if date is not None and at - _LATE < date <= at:
                    _tell(session, challenge, name, phase, kind, date)


def _tell(
    session: Session, challenge: Challenge, name: str, phase: Phase, kind: NoticeKind, date: datetime
) -> None:
    opened = kind is NoticeKind.PHASE_OPENED
    until = f" It closes {moment(phase.closes)}." if opened and phase.closes else ""
    tell(
        session,
        kind,
        Audience.CHALLENGE,
        title=f"{phase.title} {'is open' if opened else 'is closed'}",
        text=f"{phase.title} of {challenge.spec.title} {'opened' if opened else 'closed'} {moment(date)}.{until}",
        challenge=challenge,
        about={"phase": name},
        key=f"{kind}:{challenge.id}:{name}:{date.isoformat()}",
    )
