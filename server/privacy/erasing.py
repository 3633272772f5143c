"""Erasing a person: the account becomes a row that names nobody, and what is theirs alone goes."""

import secrets
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from contract.ids import TeamId, UserId
from contract.notices import DeliveryStatus, NoticeKind
from contract.organizers import Role
from contract.privacy import ErasureOut, HowErased, LeftTeam, TeamNames, Texts
from contract.problems import ErrorCode
from contract.statuses import UploadStatus
from server import events
from server.accounts.models import Account
from server.accounts.service import locked, require_other_admin
from server.challenges.models import Challenge
from server.closing.service import close_account
from server.errors import Conflict
from server.events import Event
from server.notices.models import Notice
from server.organizers.models import ChallengeRole
from server.outbox.models import OutboxMessage
from server.privacy.rows import counts, remove
from server.questions.models import Question
from server.teams.models import Membership, Team
from server.teams.service import change
from server.uploads.models import Upload

NOBODY = "former member"
REMOVED = "(removed: whoever wrote this was erased)"
_WITH_TEXT = (NoticeKind.QUESTION_ASKED, NoticeKind.QUESTION_ANSWERED)


def plan(session: Session, user_id: UserId, how: HowErased) -> ErasureOut:
    """What erasing a person would do.

    Raises:
        NotFound: there is no such account.
        Conflict: it is the only admin's, or the only organizer's of a challenge.
    """
    account = locked(session, user_id, and_admins=True)
    _require_others(session, account)
    return _told(session, account, how)


def erase(
    session: Session, user_id: UserId, how: HowErased, *, email: str, actor: str, why: str
) -> ErasureOut:
    """Erases a person as `plan` says; a second time does nothing.

    Raises:
        NotFound: there is no such account.
        Conflict: it is not the account of `email`; it is the only admin's, or the only organizer's of a challenge.
    """
    account = locked(session, user_id, and_admins=True)
    if account.erased_at is None and account.email != email.lower():
        raise Conflict(
            ErrorCode.OTHER_ADDRESS, "This account has another address. Look whom you want to erase."
        )
    _require_others(session, account)
    told = _told(session, account, how)
    if account.erased_at is None:
        _erase(session, account, how, actor=actor, why=why)
    return told.model_copy(update={"erased": True})


def erase_again(session: Session, ids: Sequence[str], *, actor: str) -> int:
    """Erases accounts that an older backup brought back, by their ids, and with all that can go; how many."""
    known = select(Account.id).where(
        Account.id.in_([UUID(known) for known in ids]), Account.erased_at.is_(None)
    )
    found = session.scalars(known.order_by(Account.id)).all()
    for user_id in found:
        account = locked(session, user_id, and_admins=True)
        account.is_admin = False
        how = HowErased(team_names=TeamNames.PSEUDONYM, texts=Texts.REMOVE)
        _erase(session, account, how, actor=actor, why="erased before, and restored from a backup")
    return len(found)


def _erase(session: Session, account: Account, how: HowErased, *, actor: str, why: str) -> None:
    left = _left_teams(session, account.id)
    close_account(session, account.id, actor=actor)
    remove(session, account.id)
    if how.team_names is TeamNames.PSEUDONYM:
        for team_id in left:
            team = session.get_one(Team, team_id)
            change(session, team, {"name": _pseudonym(team_id)})
            events.record(
                session, "team", team_id, actor=actor, what="given a pseudonym", why="nobody is left in it"
            )
    uploads = update(Upload).where(Upload.user_id == account.id)
    session.execute(uploads.values(filename=None))
    # By its name what waits is fetched from the registry, and then, or when it runs out, loses it too.
    named = Upload.pushed.is_not(None), Upload.status != UploadStatus.RECEIVING
    digest = func.concat("@", func.split_part(Upload.pushed, "@", 2))
    session.execute(uploads.where(*named).values(pushed=digest))
    if how.texts is Texts.REMOVE:
        asked = Question.asked_by == account.id, Question.team_id.is_not(None)
        gone = session.scalars(update(Question).where(*asked).values(text=REMOVED).returning(Question.id))
        _forget_told(session, [str(question) for question in gone])
    _forget_address(session, account.email)
    account = session.get_one(Account, account.id)
    account.email, account.name = f"erased-{account.id}@erased.invalid", NOBODY
    account.password_hash = secrets.token_hex()  # of no password: nothing hashes to it
    account.is_admin, account.closed_why, account.erased_at = False, None, func.now()
    session.flush()
    session.refresh(account)
    events.record(session, "user", account.id, actor=actor, what="erased", why=why)


def _forget_told(session: Session, questions: Sequence[str]) -> None:
    """Takes the texts of these questions out of what organizers and teams were told, and of mails that wait."""
    about = Notice.about["question"].astext.in_(questions), Notice.kind.in_(_WITH_TEXT)
    told = session.scalars(update(Notice).where(*about).values(text=REMOVED).returning(Notice.id)).all()
    for notice_id in told:
        mine = OutboxMessage.key.startswith(f"notice:{notice_id}:")
        session.execute(delete(OutboxMessage).where(mine, OutboxMessage.status == DeliveryStatus.QUEUED))


def _forget_address(session: Session, address: str) -> None:
    """Removes what admins were told of mails to this address that nobody took, and the mails."""
    failed = Notice.kind == NoticeKind.DELIVERY_FAILED, Notice.title.contains(address, autoescape=True)
    session.execute(delete(Notice).where(*failed))
    session.execute(delete(OutboxMessage).where(OutboxMessage.address == address))


def _require_others(session: Session, account: Account) -> None:
    require_other_admin(session, account)
    other = aliased(ChallengeRole)
    others = exists().where(
        other.challenge_id == ChallengeRole.challenge_id,
        other.user_id != account.id,
        other.role == Role.ORGANIZER,
    )
    alone = select(Challenge.slug).join(ChallengeRole, ChallengeRole.challenge_id == Challenge.id)
    alone = alone.where(ChallengeRole.user_id == account.id, ChallengeRole.role == Role.ORGANIZER, ~others)
    if slugs := session.scalars(alone.order_by(Challenge.slug)).all():
        detail = f"This is the only organizer of {', '.join(slugs)}. Name another one first."
        raise Conflict(ErrorCode.LAST_ORGANIZER, detail)


def _left_teams(session: Session, user_id: UserId) -> list[TeamId]:
    """Teams that nobody else is in who can act for them."""
    other = aliased(Membership)
    others = (
        exists()
        .where(other.team_id == Membership.team_id, other.user_id != user_id)
        .where(Account.id == other.user_id, Account.closed_at.is_(None))
    )
    query = select(Membership.team_id).where(Membership.user_id == user_id, ~others)
    return list(session.scalars(query.order_by(Membership.team_id)))


def _pseudonym(team_id: TeamId) -> str:
    return f"Team {str(team_id)[-8:]}"


def _told(session: Session, account: Account, how: HowErased) -> ErasureOut:
    left = _left_teams(session, account.id)
    found = session.execute(
        select(Team, Challenge.slug).join(Challenge).where(Team.id.in_(left)).order_by(Team.id)
    ).all()
    teams = [
        LeftTeam.of(
            team,
            challenge=slug,
            becomes=_pseudonym(team.id) if how.team_names is TeamNames.PSEUDONYM else team.name,
        )
        for team, slug in found
    ]
    return ErasureOut.of(
        person=account.id,
        email=account.email,
        erased=account.erased_at is not None,
        goes=counts(session, account.id, goes=True),
        stays=counts(session, account.id, goes=False),
        teams=teams,
        said=_said(session, account, how),
    )


def _said(session: Session, account: Account, how: HowErased) -> list[str]:
    acts = session.scalar(select(func.count()).where(Event.actor == f"user:{account.id}"))
    questions = session.scalar(select(func.count()).where(Question.asked_by == account.id)) or 0
    texts = "their texts are removed" if how.texts is Texts.REMOVE else "their texts stay as they are"
    return [
        f"Address, name and password of the account go; what stays names it by its id and is shown as “{NOBODY}”.",
        "Places, scores and receipts stay: they name teams, and no person.",
        f"{acts:,} log entries of what the person did stay, for the log is append-only: they hold the id. What others "
        "wrote as a reason stays in it too, so write no names there.",
        f"{questions:,} questions: {texts}; what organizers wrote for everybody stays, look through it yourself.",
        "Backups of before hold the person until they are removed; a restore from the directory of backups erases "
        "again whoever was erased by its last one.",
    ]
