"""Questions and announcements."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, Session, mapped_column

from contract.ids import ChallengeId, QuestionId, SubmissionId, TeamId, UserId
from contract.statuses import QuestionStatus
from server.database import Base, Created, identity
from server.moves import move

_SETTLED = frozenset({QuestionStatus.ANSWERED, QuestionStatus.PUBLISHED, QuestionStatus.CLOSED})
QUESTION_MOVES: dict[QuestionStatus, frozenset[QuestionStatus]] = dict.fromkeys(QuestionStatus, _SETTLED)
"""What was said may be said better, and what was published be taken back; nothing is open again."""


class Question(Created, Base):
    """What a team asks, or without team and text what organizers announce.

    `text`: in the team's words, for its members and organizers alone. `published`: what everybody reads of it.
    `answer`: or why it was closed. `answered_by`: the actor, as events name it.
    """

    __tablename__ = "questions"
    __table_args__ = (Index(None, "challenge_id", "status"),)

    id: Mapped[QuestionId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    team_id: Mapped[TeamId | None] = mapped_column(ForeignKey("teams.id"), index=True)
    asked_by: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    task: Mapped[str | None]
    submission_id: Mapped[SubmissionId | None] = mapped_column(ForeignKey("submissions.id"))
    status: Mapped[QuestionStatus] = mapped_column(default=QuestionStatus.OPEN)
    text: Mapped[str | None]
    published: Mapped[str | None]
    answer: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]

    def move_to(self, session: Session, status: QuestionStatus, *, actor: str) -> None:
        """Changes the status and records the event; texts stay out of the log.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.status = move(session, "question", self.id, QUESTION_MOVES, self.status, status, actor=actor)
