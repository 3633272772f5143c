"""Which published results a phase has, and keeping them."""

import hashlib
import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from contract.problems import ErrorCode
from server import events
from server.challenges.models import Challenge
from server.errors import Conflict
from server.published.models import PublishedContent, PublishedResults

IMPORTED = "published results imported"
"""What the event log calls it."""


def results_of(session: Session, challenge_id: ChallengeId, phase: str) -> PublishedResults | None:
    """The published results that are in force in a phase, if it has any."""
    return session.scalar(
        select(PublishedResults).where(
            PublishedResults.challenge_id == challenge_id,
            PublishedResults.phase == phase,
            PublishedResults.replaced_at.is_(None),
        )
    )


def phases_with_results(session: Session) -> set[tuple[ChallengeId, str]]:
    """The phases that show published results, each with its challenge; they are few."""
    rows = session.execute(
        select(PublishedResults.challenge_id, PublishedResults.phase).where(
            PublishedResults.replaced_at.is_(None)
        )
    )
    return {(row.challenge_id, row.phase) for row in rows}


def digest_of(content: PublishedContent, source: str | None) -> str:
    """The digest of results and of where they were published."""
    whole = {"source": source, **content.model_dump(mode="json")}
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def keep(
    session: Session,
    challenge: Challenge,
    phase: str,
    content: PublishedContent,
    *,
    source: str | None,
    replace: bool,
    actor: str,
) -> tuple[PublishedResults, bool, bool]:
    """Puts published results into force, as one event. The same again change nothing.

    Returns the results in force, whether they are new, and whether others gave way to them.

    Raises:
        Conflict: other results are in force, and nobody said that they give way.
    """
    session.execute(select(Challenge.id).where(Challenge.id == challenge.id).with_for_update())
    present, digest = results_of(session, challenge.id, phase), digest_of(content, source)
    if present is not None and present.digest == digest:
        return present, False, False
    if present is not None:
        if not replace:
            raise Conflict(
                ErrorCode.RESULTS_DIFFER,
                f"Phase {phase!r} of {challenge.slug} has other published results, {present.digest}. To have these "
                "in their place, say so and why.",
            )
        present.replaced_at = func.now()
        session.flush()
    results = PublishedResults(
        challenge_id=challenge.id, phase=phase, digest=digest, source=source, content=content
    )
    session.add(results)
    events.record(
        session, "challenge", challenge.id, actor=actor, what=IMPORTED, why=f"phase {phase}, {digest}"
    )
    session.flush()
    return results, True, present is not None


def require_unpublished(session: Session, challenge: Challenge, phase: str) -> None:
    """Refuses what would add evaluations to a phase whose leaderboard shows published results.

    Raises:
        Conflict: it does.
    """
    if results_of(session, challenge.id, phase) is not None:
        detail = f"Phase {phase!r} shows results that were published elsewhere; it takes no submissions."
        raise Conflict(ErrorCode.PHASE_CLOSED, detail)
