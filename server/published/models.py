"""Published results of a phase: one document for each import, of which one is in force.

They are no evaluations: nothing ran, and there are no cases, receipts or intervals. So nothing of them stands in the
tables of evaluations, and their teams are names, not teams that anybody could join.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import ChallengeId
from server.database import Base, Created, Identified, JsonOf


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedOnBoard(_Kept):
    """What a team has on a board: its values by metric, None where it was not scored, and its published rank there."""

    values: dict[str, float | None]
    rank: float | None = None


class PublishedTeam(_Kept):
    """A team in a track, with what it has by board.

    overall, placement: its published mean rank and its published place over all boards; None where they were not told.
    """

    team: str
    track: str
    baseline: bool = False
    eligible: bool = True
    disclaimer: str | None = None
    overall: float | None = None
    placement: int | None = None
    boards: dict[str, PublishedOnBoard]


class PublishedContent(_Kept):
    """All that was read of a file of results, in its order."""

    teams: list[PublishedTeam]

    @property
    def values(self) -> int:
        """How many values there are."""
        return sum(len(board.values) for team in self.teams for board in team.boards.values())


class PublishedResults(Identified, Created, Base):
    """An import of published results; `replaced_at`: since when another one is in force in its place."""

    __tablename__ = "published_results"
    __table_args__ = (
        Index(
            "uq_published_results_in_force",
            "challenge_id",
            "phase",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    digest: Mapped[str]
    source: Mapped[str | None]
    content: Mapped[PublishedContent] = mapped_column(JsonOf(PublishedContent))
    replaced_at: Mapped[datetime | None] = mapped_column(default=None)
