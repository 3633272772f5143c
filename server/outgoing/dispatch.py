"""Putting notices into the outbox: a mail for each reader who wants one, a message for each webhook that does."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from contract.notices import Audience
from server.accounts.models import Account
from server.challenges.models import Challenge
from server.notices.models import Notice
from server.notices.service import mailed_to
from server.organizers.models import ChallengeRole
from server.outbox.service import enqueue_mail, enqueue_webhook, mail_is_set_up
from server.settings import Outgoing
from server.teams.models import Membership, Team
from server.webhooks.models import Endpoint

_AT_ONCE = 20


def dispatch(session: Session, settings: Outgoing) -> int:
    """Puts the oldest notices that were not into the outbox; how many these were."""
    waiting = (
        select(Notice, Challenge)
        .outerjoin(Challenge, Challenge.id == Notice.challenge_id)
        .where(Notice.dispatched_at.is_(None))
        .order_by(Notice.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, of=Notice)
    )
    rows = session.execute(waiting).all()
    for notice, challenge in rows:
        payload = _payload(notice, challenge)
        for endpoint in endpoints_of(session, notice):
            key = f"notice:{notice.id}:{endpoint.id}"
            enqueue_webhook(session, endpoint.id, payload=payload, key=key)
        if mail_is_set_up(settings):
            _mail(session, notice, challenge, settings)
        notice.dispatched_at = func.now()
    return len(rows)


def _payload(notice: Notice, challenge: Challenge | None) -> dict[str, Any]:
    """What webhooks send: ids and names, no sentence. The platform has the rest for whoever may read it."""
    data = {"notice": str(notice.id), **notice.about}
    if challenge is not None:
        data["challenge"] = challenge.slug
    moment = notice.created_at.astimezone(UTC).isoformat()
    return {"type": notice.kind.value, "timestamp": moment, "data": data}


def _mail(session: Session, notice: Notice, challenge: Challenge | None, settings: Outgoing) -> None:
    where = "Proctor" if challenge is None else challenge.spec.title
    lines = [notice.text, "", "--", f"{where}{f', {settings.public_url}' if settings.public_url else ''}"]
    lines.append(f"No more mails of this kind: proctor notices --mail {notice.kind.value}=off")
    subject = f"[{where}] {notice.title}"
    for user_id, address in mailed_to(session, notice):
        key = f"notice:{notice.id}:{user_id}"
        enqueue_mail(session, to=address, subject=subject, text="\n".join(lines), key=key, user_id=user_id)


def endpoints_of(session: Session, notice: Notice) -> Sequence[Endpoint]:
    """The webhooks that a notice goes to: those of its audience that want it, and whose maker still belongs to it."""
    wants = or_(Endpoint.kinds == [], Endpoint.kinds.contains([notice.kind.value]))
    query = select(Endpoint).where(Endpoint.disabled_at.is_(None), wants, _is_told(notice), _IS_TRUSTED)
    return session.scalars(query.order_by(Endpoint.id)).all()


def _is_told(notice: Notice) -> ColumnElement[bool]:
    of_admins = and_(Endpoint.team_id.is_(None), Endpoint.challenge_id.is_(None))
    of_challenge = Endpoint.challenge_id == notice.challenge_id
    match notice.audience:
        case Audience.TEAM:
            return Endpoint.team_id == notice.team_id
        case Audience.CHALLENGE:
            teams = select(Team.id).where(Team.challenge_id == notice.challenge_id)
            return or_(Endpoint.team_id.in_(teams), of_challenge)
        case Audience.ORGANIZERS:
            return of_challenge
        case Audience.STAFF:
            return or_(of_challenge, of_admins)
        case Audience.ADMINS:
            return of_admins
    return false()


_MAKER = Account.id == Endpoint.made_by, Account.closed_at.is_(None)
_IS_TRUSTED = or_(
    Endpoint.made_by.is_(None),
    select(Account.id).where(*_MAKER, Account.is_admin).exists(),
    select(Membership.user_id)
    .where(Membership.user_id == Endpoint.made_by, Membership.team_id == Endpoint.team_id)
    .exists(),
    select(ChallengeRole.user_id)
    .where(ChallengeRole.user_id == Endpoint.made_by, ChallengeRole.challenge_id == Endpoint.challenge_id)
    .exists(),
)
