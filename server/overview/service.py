"""A challenge on one screen: a bounded number of statements, none of which reads a row per case."""

from sqlalchemy.orm import Session

from contract.overview import ChallengeOverview
from server.accounts.principals import Observer
from server.challenges.models import Challenge
from server.clock import now
from server.overview import progress
from server.overview.attention import attention
from server.overview.scene import Scene
from server.settings import Settings

MOST_DAYS = 366
"""Days that one overview counts."""


def overview(
    session: Session, challenge: Challenge, observer: Observer, *, days: int = 28, settings: Settings
) -> ChallengeOverview:
    """How a challenge stands now, and what was submitted on each of the last `days`."""
    scene = Scene(session, settings, challenge, observer, now(session))
    return ChallengeOverview.of(
        scene.counts,
        challenge=challenge.slug,
        title=challenge.spec.title,
        at=scene.at,
        attention=attention(scene),
        slots=scene.forecast.slots,
        phases=progress.phases(scene),
        days=progress.days(scene, days),
        never_scored=progress.never_scored(scene),
        attempts=progress.attempts(scene),
    )
