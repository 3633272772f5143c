"""Submissions, what comes of which lies in their evaluations, and attempts that organizers granted."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, and_, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from contract.ids import ChallengeId, SubmissionId, TeamId, UserId
from server.database import Base, Created, Identified, identity
from server.evaluations.models import SHOWN, Evaluation


class Submission(Created, Base):
    """One POST of {task: image}. The idempotency key makes a repeated POST return the first one's result.

    `told_at`: when its team was told that all of it had ended; null again where something of it is retried.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("team_id", "idempotency_key"),
        Index(None, "challenge_id", "team_id", "created_at"),
        Index("ix_submissions_untold", "id", postgresql_where=text("told_at IS NULL")),
    )

    id: Mapped[SubmissionId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"))
    created_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id"))
    track: Mapped[str]
    phase: Mapped[str]
    images: Mapped[dict[str, str]]
    idempotency_key: Mapped[str]
    told_at: Mapped[datetime | None] = mapped_column(default=None)
    # Those that its team sees: what re-evaluations made beside them, and what was replaced, is for organizers alone.
    evaluations: Mapped[list[Evaluation]] = relationship(
        order_by=Evaluation.task,
        primaryjoin=lambda: and_(Submission.id == Evaluation.submission_id, SHOWN),
        viewonly=True,
    )


class AttemptGrant(Identified, Created, Base):
    """Valid attempts that a team has beyond those of the challenge file, or fewer; `granted_by`: as events name it."""

    __tablename__ = "attempt_grants"

    team_id: Mapped[TeamId] = mapped_column(ForeignKey("teams.id"), index=True)
    phase: Mapped[str]
    track: Mapped[str]
    task: Mapped[str]
    valid: Mapped[int]
    why: Mapped[str]
    granted_by: Mapped[str]
