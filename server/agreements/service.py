"""What has to be accepted, and accepting it.

A signature is one's own: whoever founds or joins a team, uploads or submits has to have accepted, for themselves, and
nobody waits for members who do nothing. A document that is to bind all of them is accepted before a team.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.agreements import Before
from contract.ids import ChallengeId, UserId
from contract.problems import ErrorCode
from server import events
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.agreements.models import Acceptance, Agreement
from server.challenges.models import Challenge
from server.errors import Conflict, Forbidden, NotFound

_COVERS = {Before.TEAM: frozenset({Before.TEAM}), Before.SUBMISSION: frozenset(Before)}
"""What has to be accepted by then: a document that is needed for a team is needed for a submission, too."""


class Asked(NamedTuple):
    """A document's present version, and when a person accepted it or an earlier version that holds for it."""

    agreement: Agreement
    accepted_at: datetime | None


def present(session: Session, challenge_id: ChallengeId) -> Sequence[Agreement]:
    """The present version of each document, by the documents' names."""
    return session.scalars(
        select(Agreement)
        .ext(distinct_on(Agreement.document))
        .where(Agreement.challenge_id == challenge_id)
        .order_by(Agreement.document, Agreement.number.desc())
    ).all()


def asked_of(session: Session, challenge_id: ChallengeId, user_id: UserId | None) -> list[Asked]:
    """The present version of each document, and what a person, or nobody in particular, accepted of it."""
    versions = present(session, challenge_id)
    if not versions or user_id is None:
        return [Asked(agreement, None) for agreement in versions]
    accepted = session.execute(
        select(Agreement.document, Agreement.number, Acceptance.created_at)
        .join(Acceptance, Acceptance.agreement_id == Agreement.id)
        .where(Agreement.challenge_id == challenge_id, Acceptance.user_id == user_id)
        .order_by(Agreement.number)
    ).all()
    latest = {
        agreement.document: at
        for agreement in versions
        for document, number, at in accepted
        if document == agreement.document and number >= agreement.since
    }
    return [Asked(agreement, latest.get(agreement.document)) for agreement in versions]


def require_accepted(session: Session, user: User, challenge_id: ChallengeId, *, before: Before) -> None:
    """Raises unless a person has accepted all that is needed to found or join a team, or to submit.

    Raises:
        Forbidden: a document is missing; it says which, where it is and how it is accepted.
    """
    missing = [
        agreement
        for agreement, accepted_at in asked_of(session, challenge_id, user.id)
        if accepted_at is None and agreement.before in _COVERS[before]
    ]
    if missing:
        slug = session.get_one(Challenge, challenge_id).slug
        named = " and ".join(named_in_full(agreement) for agreement in missing)
        where = ", ".join(f"/challenges/{slug}/agreements/{agreement.digest}" for agreement in missing)
        raise Forbidden(
            ErrorCode.CONSENT_MISSING,
            f"You have not accepted {named}. Read it at {where} and accept it: 'proctor agree', or POST "
            f"/api/v1/challenges/{slug}/agreements/DIGEST/accept. Each person does so for themselves.",
            agreements=[agreement.digest for agreement in missing],
        )


def named_in_full(agreement: Agreement) -> str:
    """A version as sentences name it."""
    return f"“{agreement.title}” (version {agreement.number} of {agreement.document})"


def get_agreement(session: Session, challenge: Challenge, digest: str) -> Agreement:
    """A version by its digest, the present one or an earlier one.

    Raises:
        NotFound: the challenge has none.
    """
    found = session.scalar(
        select(Agreement).where(Agreement.challenge_id == challenge.id, Agreement.digest == digest)
    )
    if found is None:
        raise NotFound(
            ErrorCode.UNKNOWN_AGREEMENT,
            f"{challenge.slug} has no agreement of this digest. GET /challenges/{challenge.slug}/agreements lists the "
            "present ones.",
        )
    return found


def accept(session: Session, user: User, challenge: Challenge, digest: str) -> Asked:
    """Notes that a person accepts a version; a second time changes nothing.

    Raises:
        NotFound: there is no such version.
        Conflict: a newer one is there.
    """
    require_scope(user, Scope.SUBMIT)
    agreement = get_agreement(session, challenge, digest)
    newest = next(
        version for version in present(session, challenge.id) if version.document == agreement.document
    )
    if newest is not agreement:
        raise Conflict(
            ErrorCode.AGREEMENT_REPLACED,
            f"{named_in_full(agreement)} was replaced by version {newest.number}, {newest.digest}. Read that one.",
        )
    added = session.scalar(
        insert(Acceptance)
        .values(agreement_id=agreement.id, user_id=user.id)
        .on_conflict_do_nothing()
        .returning(Acceptance.id)
    )
    if added is not None:
        events.record(session, "agreement", agreement.id, actor=user.actor, what="accepted", why=digest)
    mine = Acceptance.agreement_id == agreement.id, Acceptance.user_id == user.id
    return Asked(agreement, session.scalar(select(Acceptance.created_at).where(*mine)))
