"""Telling people something, in the unit of work in which it happens; and what each of them has been told."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Uuid, and_, delete, false, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.ids import ChallengeId, NoticeId, TeamId, UserId
from contract.notices import MATRIX, Audience, NoticeKind
from contract.organizers import Role
from server.accounts.models import Account
from server.accounts.principals import User
from server.accounts.service import require_scope
from server.challenges.models import Challenge
from server.ids import new_id
from server.notices.models import Notice, NoticeCopy, NoticeSetting
from server.organizers.models import ChallengeRole
from server.teams.models import Membership

_KEPT = timedelta(days=400)


def tell(
    session: Session,
    kind: NoticeKind,
    audience: Audience,
    *,
    title: str,
    text: str,
    challenge: Challenge | None = None,
    team_id: TeamId | None = None,
    about: Mapping[str, object] | None = None,
    key: str | None = None,
) -> None:
    """Tells `audience` something, once the unit of work has committed; nothing hidden may stand in it.

    title: one line. text: sentences for people. about: ids and names of what it concerns, for programs. key: what makes
    it one and the same: a second notice of the same key is none; by default it is one by itself.
    """
    notice_id, challenge_id = NoticeId(new_id()), None if challenge is None else challenge.id
    values = {
        "id": notice_id,
        "kind": kind,
        "audience": audience,
        "challenge_id": challenge_id,
        "team_id": team_id,
        "key": key or str(notice_id),
        "title": title,
        "text": text,
        "about": {name: str(value) for name, value in (about or {}).items()},
    }
    session.flush()  # what it is about may be new
    made = insert(Notice).values(values).on_conflict_do_nothing(index_elements=["key"])
    if session.scalar(made.returning(Notice.id)) is None:
        return
    readers = select(Account.id, literal(notice_id, Uuid())).where(
        Account.closed_at.is_(None), _is_told(audience, challenge_id, team_id)
    )
    session.execute(insert(NoticeCopy).from_select(["user_id", "notice_id"], readers))


def _is_told(
    audience: Audience, challenge_id: ChallengeId | None, team_id: TeamId | None
) -> ColumnElement[bool]:
    """Whether somebody is of the audience."""
    if audience is Audience.ADMINS:
        return Account.is_admin.is_(True)
    if audience is Audience.TEAM:
        return Account.id.in_(select(Membership.user_id).where(Membership.team_id == team_id))
    role = select(ChallengeRole.user_id).where(ChallengeRole.challenge_id == challenge_id)
    staff = Account.id.in_(role)
    if audience is Audience.CHALLENGE:
        entered = select(Membership.user_id).where(Membership.challenge_id == challenge_id)
        return or_(staff, Account.id.in_(entered))
    deciding = role.where(ChallengeRole.role == Role.ORGANIZER)
    if audience is Audience.STAFF:
        return or_(Account.id.in_(deciding), Account.is_admin)
    return or_(Account.id.in_(deciding), and_(Account.is_admin, ~deciding.exists()))


def forget_old(session: Session) -> None:
    """Removes notices of more than a year ago: records of what happened are elsewhere."""
    session.execute(delete(Notice).where(Notice.created_at < func.now() - _KEPT))


def own_notices(
    session: Session, user: User, *, unread: bool, before: NoticeId | None, limit: int
) -> Sequence[tuple[Notice, NoticeCopy, str | None]]:
    """What somebody was told, newest first, with the challenge's name; with `unread` what they have not read."""
    query = (
        select(Notice, NoticeCopy, Challenge.slug)
        .join(NoticeCopy, NoticeCopy.notice_id == Notice.id)
        .outerjoin(Challenge, Challenge.id == Notice.challenge_id)
        .where(NoticeCopy.user_id == user.id)
        .order_by(Notice.id.desc())
        .limit(limit)
    )
    if unread:
        query = query.where(NoticeCopy.read_at.is_(None))
    if before is not None:
        query = query.where(Notice.id < before)
    return [(notice, copy, slug) for notice, copy, slug in session.execute(query)]


def unread(session: Session, user: User) -> int:
    """How many notices somebody has not read."""
    mine = select(func.count()).where(NoticeCopy.user_id == user.id, NoticeCopy.read_at.is_(None))
    return session.scalar(mine) or 0


def mark_read(session: Session, user: User, *, ids: Sequence[NoticeId], until: NoticeId | None) -> None:
    """Notes that these were read, or all up to one; others' are left alone.

    Raises:
        Forbidden: the token only reads.
    """
    require_scope(user, Scope.SUBMIT)
    which = NoticeCopy.notice_id.in_(ids)
    older = false() if until is None else NoticeCopy.notice_id <= until
    mine = update(NoticeCopy).where(NoticeCopy.user_id == user.id, NoticeCopy.read_at.is_(None))
    session.execute(
        mine.where(or_(which, older)).values(read_at=func.now()),
        execution_options={"synchronize_session": False},
    )


def settings_of(session: Session, user: User) -> dict[NoticeKind, bool]:
    """Which kinds somebody gets by mail."""
    said = select(NoticeSetting).where(NoticeSetting.user_id == user.id)
    other = {setting.kind: setting.mail for setting in session.scalars(said)}
    return {kind: other.get(kind, row.mail) for kind, row in MATRIX.items()}


def set_mail(session: Session, user: User, kind: NoticeKind, *, mail: bool) -> None:
    """Notes whether somebody wants a kind by mail.

    Raises:
        Forbidden: the token only reads.
    """
    require_scope(user, Scope.SUBMIT)
    session.execute(
        insert(NoticeSetting)
        .values(user_id=user.id, kind=kind, mail=mail)
        .on_conflict_do_update(index_elements=["user_id", "kind"], set_={"mail": mail})
    )


def mailed_to(session: Session, notice: Notice) -> Sequence[tuple[UserId, str]]:
    """Whom a notice goes to by mail, and where: addresses that were shown to be their account's, and no others.

    Else whoever registers with somebody else's address has us write to them.
    """
    wants = func.coalesce(NoticeSetting.mail, MATRIX[notice.kind].mail)
    own = and_(NoticeSetting.user_id == NoticeCopy.user_id, NoticeSetting.kind == notice.kind)
    query = (
        select(Account.id, Account.email)
        .join(NoticeCopy, NoticeCopy.user_id == Account.id)
        .outerjoin(NoticeSetting, own)
        .where(NoticeCopy.notice_id == notice.id, Account.closed_at.is_(None), wants)
        .where(Account.verified_at.is_not(None))
        .order_by(Account.id)
    )
    return [(user_id, email) for user_id, email in session.execute(query)]
