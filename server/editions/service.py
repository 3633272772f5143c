"""Reading editions: which there are, and to whom they are shown."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, undefer

from contract.editions import EditionCause
from contract.problems import ErrorCode
from server.accounts.principals import User
from server.challenges.models import Challenge
from server.editions.models import Edition
from server.errors import NotFound
from server.leaderboard.service import require_visible
from server.organizers.access import observes


def last_edition(session: Session, challenge: Challenge, phase: str) -> Edition | None:
    """The newest edition of a phase, whoever may see it."""
    return session.scalar(_of(challenge, phase).order_by(Edition.number.desc()).limit(1))


def release_of(session: Session, challenge: Challenge, phase: str) -> Edition | None:
    """What a phase's leaderboard showed when it was released last, with its places; None while it is not released."""
    if phase not in challenge.released:
        return None
    released = Edition.cause.in_((EditionCause.RELEASED, EditionCause.FOUND))
    query = _of(challenge, phase).where(released).order_by(Edition.number.desc()).limit(1)
    return session.scalar(query.options(undefer(Edition.places)))


def editions_of(
    session: Session,
    challenge: Challenge,
    phase: str,
    viewer: User | None,
    *,
    limit: int,
    before: int | None = None,
) -> Sequence[Edition]:
    """The editions of a phase that `viewer` may see, newest first; before: only those with a lower number.

    They are hidden with the leaderboard: while its release is taken back only organizers see them.

    Raises:
        NotFound, Forbidden: `viewer` sees no leaderboard of the phase.
    """
    if not _shown(session, challenge, phase, viewer):
        return []
    query = _of(challenge, phase).order_by(Edition.number.desc()).limit(limit)
    return session.scalars(query if before is None else query.where(Edition.number < before)).all()


def get_edition(
    session: Session, challenge: Challenge, phase: str, number: int, viewer: User | None
) -> Edition:
    """One edition with all that it holds.

    Raises:
        NotFound, Forbidden: as `editions_of`, or there is no such edition that `viewer` may see.
    """
    found = None
    if _shown(session, challenge, phase, viewer):
        whole = undefer(Edition.places), undefer(Edition.boards)
        found = session.scalar(_of(challenge, phase).where(Edition.number == number).options(*whole))
    if found is None:
        raise NotFound(
            ErrorCode.UNKNOWN_EDITION,
            f"The leaderboard of phase {phase!r} has no edition {number} that is shown.",
        )
    return found


def later_than(session: Session, challenge: Challenge, edition: Edition, *, most: int) -> Sequence[Edition]:
    """The editions that came after one, the oldest first; the last ones where there are more than `most`."""
    query = _of(challenge, edition.phase).where(Edition.number > edition.number)
    return session.scalars(query.order_by(Edition.number.desc()).limit(most)).all()[::-1]


def whole_editions(session: Session, challenge: Challenge, phase: str) -> Iterator[Edition]:
    """All editions of a phase with all that they hold, the oldest first, one at a time; for who may see everything."""
    whole = undefer(Edition.places), undefer(Edition.boards)
    query = _of(challenge, phase).order_by(Edition.number).options(*whole)
    for edition in session.scalars(query).yield_per(1):
        yield edition
        session.expunge(edition)


def _shown(session: Session, challenge: Challenge, phase: str, viewer: User | None) -> bool:
    require_visible(session, challenge, phase, viewer)
    return phase in challenge.released or observes(session, viewer, challenge)


def _of(challenge: Challenge, phase: str) -> Select[Edition]:
    return select(Edition).where(Edition.challenge_id == challenge.id, Edition.phase == phase)
