"""Every check of a challenge, in the order in which a person would mend what it finds."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from contract.phases import CheckState
from contract.readiness import ChallengeReadiness, ReadinessCheck
from server.accounts.principals import Observer
from server.challenges.models import Challenge
from server.challenges.service import get_phase
from server.clock import now
from server.readiness import cases, installation, rules
from server.readiness.world import World
from server.settings import Settings

CHECKS: tuple[Callable[[World], Iterator[ReadinessCheck]], ...] = (
    rules.dates,
    rules.order,
    rules.attempts,
    rules.sealed,
    rules.sanity,
    rules.prizes,
    rules.agreements,
    rules.metrics,
    cases.datasets,
    cases.committed,
    cases.tried,
    installation.workers,
    installation.time,
    installation.queue,
    installation.disk,
    installation.secrets,
    installation.clocks,
    installation.backup,
    installation.scorers,
    installation.baseline,
)

AT_A_GLANCE: tuple[Callable[[World], Iterator[ReadinessCheck]], ...] = (
    rules.dates,
    rules.sealed,
    cases.present,
    cases.tried,
    installation.workers,
    installation.disk,
    installation.clocks,
    installation.backup,
)
"""Those that take a statement or two each, and read no case."""


def at_a_glance(
    session: Session, challenge: Challenge, at: datetime, *, settings: Settings
) -> list[ReadinessCheck]:
    """What the quick checks find in a challenge at `at`, of the phases that are not over."""
    phases = {
        name: phase
        for name, phase in challenge.spec.phases.items()
        if phase.closes is None or at < phase.closes
    }
    world = World(session, settings, challenge, phases, at, with_labels=False)
    return [found for look in AT_A_GLANCE for found in look(world)]


def check(
    session: Session,
    challenge: Challenge,
    observer: Observer,
    *,
    phase: str | None = None,
    with_labels: bool = True,
    settings: Settings,
) -> ChallengeReadiness:
    """Whether the challenge, or one phase of it, is ready to open; nothing is changed.

    with_labels: also reads the labels of all cases in question, which takes as long as an import does.

    Raises:
        NotFound: there is no such phase.
    """
    phases = dict(challenge.spec.phases) if phase is None else {phase: get_phase(challenge.spec, phase)}
    before, at, after = datetime.now(UTC), now(session), datetime.now(UTC)
    apart = max(before - at, at - after, timedelta(0))
    world = World(session, settings, challenge, phases, at, with_labels, apart, asked=phase is not None)
    checks = [found for look in CHECKS for found in look(world)]
    return ChallengeReadiness(
        challenge=challenge.slug,
        at=world.at,
        errors=sum(found.state is CheckState.ERROR for found in checks),
        warnings=sum(found.state is CheckState.WARNING for found in checks),
        checks=checks,
    )
