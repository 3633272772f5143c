"""Re-evaluations: which evaluations are made anew, how and why, and what applying one has changed."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from contract.ids import ChallengeId, DatasetId, ReevaluationId, SpecVersionId
from contract.reevaluations import ReevaluationMode, ReevaluationScope
from contract.statuses import ReevaluationState
from server.challenges.models import SpecVersion
from server.database import Base, Created, JsonOf, identity
from server.moves import move

_S = ReevaluationState

REEVALUATION_MOVES: dict[ReevaluationState, frozenset[ReevaluationState]] = {
    _S.DRAFT: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.READY, _S.CANCELLED}),
    _S.READY: frozenset({_S.RUNNING, _S.APPLIED, _S.CANCELLED}),  # running again with what came late
    _S.APPLIED: frozenset({_S.REVERTED}),
    _S.CANCELLED: frozenset(),
    _S.REVERTED: frozenset(),  # to have it back, make another one: nothing has to run for that
}

UNDER_WAY = (_S.RUNNING, _S.READY)
"""States in which it has evaluations beside those in force, so that no other one may have them."""


class Swapped(BaseModel):
    """What applying brought into force: by phase and task the cases before and since, and the file where it changed."""

    datasets: list[tuple[DatasetId | None, DatasetId]] = []
    touched: list[DatasetId] = []
    version: tuple[SpecVersionId, SpecVersionId] | None = None


class Reevaluation(Created, Base):
    """One re-evaluation of a challenge.

    target_version_id, target_datasets: what comes into force with it, null and empty where that is what is in force.
    applied_digest: of all that counted when it was applied; swapped: what a way back has to restore.
    """

    __tablename__ = "reevaluations"

    id: Mapped[ReevaluationId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"), index=True)
    state: Mapped[ReevaluationState] = mapped_column(default=ReevaluationState.DRAFT)
    mode: Mapped[ReevaluationMode]
    scope: Mapped[ReevaluationScope] = mapped_column(JsonOf(ReevaluationScope))
    why: Mapped[str]
    repetitions: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int]
    target_version_id: Mapped[SpecVersionId | None] = mapped_column(
        ForeignKey("spec_versions.id"), default=None
    )
    target_datasets: Mapped[list[str]] = mapped_column(default=list)
    created_by: Mapped[str]
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    ready_at: Mapped[datetime | None] = mapped_column(default=None)
    applied_at: Mapped[datetime | None] = mapped_column(default=None)
    cancelled_at: Mapped[datetime | None] = mapped_column(default=None)
    reverted_at: Mapped[datetime | None] = mapped_column(default=None)
    applied_digest: Mapped[str | None] = mapped_column(default=None)
    swapped: Mapped[Swapped | None] = mapped_column(JsonOf(Swapped), default=None)

    target_version: Mapped[SpecVersion | None] = relationship()

    @property
    def datasets(self) -> list[DatasetId]:
        """The versions of the cases that come with it."""
        return [DatasetId(UUID(dataset)) for dataset in self.target_datasets]

    def move_to(
        self, session: Session, state: ReevaluationState, *, actor: str, why: str | None = None
    ) -> None:
        """Changes the state, notes when, and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.state = move(
            session, "reevaluation", self.id, REEVALUATION_MOVES, self.state, state, actor=actor, why=why
        )
        if (column := _MOMENTS.get(state)) is not None:
            setattr(self, column, func.now())


_MOMENTS = {
    _S.RUNNING: "started_at",
    _S.READY: "ready_at",
    _S.APPLIED: "applied_at",
    _S.CANCELLED: "cancelled_at",
    _S.REVERTED: "reverted_at",
}
