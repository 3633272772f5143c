"""Notices, who is to read them, and who wants which by mail."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId, NoticeId, TeamId, UserId
from contract.notices import Audience, NoticeKind
from server.database import Base, Created, identity


class Notice(Created, Base):
    """Something that happened, said once for all who are told it.

    `key` names it: a second one of the same key is none. `about`: ids and names of what it concerns, which is all that
    a webhook sends of it; `title` and `text` are for people. `dispatched_at`: when its mails and webhooks were put into
    the outbox.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_undispatched", "id", postgresql_where=text("dispatched_at IS NULL")),
        Index(None, "created_at"),
    )

    id: Mapped[NoticeId] = identity()
    kind: Mapped[NoticeKind]
    audience: Mapped[Audience]
    challenge_id: Mapped[ChallengeId | None] = mapped_column(ForeignKey("challenges.id"))
    team_id: Mapped[TeamId | None] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    text: Mapped[str]
    about: Mapped[dict[str, str]]
    dispatched_at: Mapped[datetime | None]


class NoticeCopy(Base):
    """A notice as one person has it; it goes with the person's row."""

    __tablename__ = "notice_copies"
    __table_args__ = (
        Index("ix_notice_copies_unread", "user_id", "notice_id", postgresql_where=text("read_at IS NULL")),
    )

    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    notice_id: Mapped[NoticeId] = mapped_column(
        ForeignKey("notices.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    read_at: Mapped[datetime | None]


class NoticeSetting(Base):
    """Whether a person wants notices of a kind by mail, where it is not as usual for that kind."""

    __tablename__ = "notice_settings"

    user_id: Mapped[UserId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(primary_key=True)
    mail: Mapped[bool]
