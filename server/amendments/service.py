"""Writing and reading amendments."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from contract.ids import SpecVersionId
from contract.notices import Audience, NoticeKind
from contract.problems import ErrorCode
from contract.texts import short_digests
from server import events
from server.amendments.models import Amendment
from server.challenges.acts import BoardAct, note_act
from server.challenges.models import Challenge
from server.datasets.said import require_no_case
from server.errors import NotFound
from server.notices.service import tell

SAID = "amended"
"""What the event log calls an amendment."""


def amend(
    session: Session,
    challenge: Challenge,
    *,
    what: str,
    why: str | None,
    by: str,
    phase: str | None = None,
    task: str | None = None,
    version: SpecVersionId | None = None,
    kind: NoticeKind = NoticeKind.CHALLENGE_AMENDED,
    told: bool = True,
) -> Amendment:
    """Adds what everybody reads on the challenge page, and is told; nothing hidden may stand in `what` or `why`.

    what: a sentence without a full stop, in which no person is named. why: the organizers' reason in their own words.
    by: the actor, for the event log alone: everybody is told "the organizers". phase, task: what it concerns, None for
    all. version: the version of the file that an act on the phase's dates made. kind: of the notice.
    told: whether there is one, for what changes something that somebody may have relied on.

    Raises:
        Unprocessable: the reason names a hidden case.
    """
    require_no_case(session, challenge.id, why)
    row = Amendment(
        challenge_id=challenge.id,
        phase=phase,
        task=task,
        what=what,
        why=why,
        actor=by,
        spec_version_id=version,
    )
    session.add(row)
    note_act(session, challenge.id, BoardAct(phase, what))
    events.record(
        session, "challenge", challenge.id, actor=by, what=SAID, why=f"{what}: {why}" if why else what
    )
    if not told:
        return row
    about = {"phase": phase, "task": task}
    tell(
        session,
        kind,
        Audience.CHALLENGE,
        title=short_digests(what),
        text=f"{what}. The organizers' reason: {why}" if why else f"{what}.",
        challenge=challenge,
        about={name: value for name, value in about.items() if value is not None},
    )
    return row


def amendments(
    session: Session, challenge: Challenge, *, limit: int, before: Amendment | None = None
) -> Sequence[Amendment]:
    """The amendments of a challenge, newest first; `before`: only those that came earlier."""
    order = Amendment.created_at, Amendment.id
    query = select(Amendment).where(Amendment.challenge_id == challenge.id)
    if before is not None:
        query = query.where(tuple_(*order) < tuple_(before.created_at, before.id))
    return session.scalars(query.order_by(*(column.desc() for column in order)).limit(limit)).all()


def get_amendment(session: Session, challenge: Challenge, amendment_id: UUID) -> Amendment:
    """The amendment of this challenge with this id."""
    found = session.get(Amendment, amendment_id)
    if found is None or found.challenge_id != challenge.id:
        raise NotFound(
            ErrorCode.UNKNOWN_AMENDMENT, f"There is no amendment {amendment_id} of {challenge.slug}."
        )
    return found


def last_act(session: Session, challenge: Challenge, phase: str) -> Amendment | None:
    """The latest act on a phase's dates, unless a file has given the phase other dates since."""
    query = (
        select(Amendment)
        .where(
            Amendment.challenge_id == challenge.id,
            Amendment.phase == phase,
            Amendment.spec_version_id.is_not(None),
        )
        .order_by(Amendment.created_at.desc(), Amendment.id.desc())
    )
    act = session.scalar(query.limit(1))
    if act is None or act.version is None:
        return None
    then, now = act.version.spec.phases.get(phase), challenge.spec.phases.get(phase)
    same = then and now and (then.opens, then.closes) == (now.opens, now.closes)
    return act if same else None
