"""Consignments."""

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from contract.consignments import ConsignmentKind, RefusalOut
from contract.datasets import StagedOut
from contract.ids import ChallengeId, ConsignmentId, DatasetId
from contract.statuses import ConsignmentState
from server.database import Base, Created, JsonOf, identity
from server.moves import move

_S = ConsignmentState

CONSIGNMENT_MOVES: dict[ConsignmentState, frozenset[ConsignmentState]] = {
    _S.WAITING: frozenset({_S.WORKING}),
    _S.WORKING: frozenset({_S.WORKING, _S.DONE, _S.REFUSED}),  # again, where a score worker died
    _S.DONE: frozenset(),
    _S.REFUSED: frozenset(),
}


class Outcome(BaseModel):
    """What came of it: one of the two."""

    made: StagedOut | None = None
    refused: RefusalOut | None = None


class Consignment(Created, Base):
    """One thing that an organizer has sent; its bytes lie in a folder of their own, see `server.consignments.incoming`.

    dataset_id: the version that is corrected, and `case_name` the case that gets a label file; both null for a folder
    of cases. against_id: the version that the answer compares with, else the one corrected. accept: warnings are known.
    `claim_no` fences: a write that names an older one is refused. outcome: forgotten after a while, for it names cases.
    """

    __tablename__ = "consignments"

    id: Mapped[ConsignmentId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"), index=True)
    kind: Mapped[ConsignmentKind]
    phase: Mapped[str]
    task: Mapped[str]
    dataset_id: Mapped[DatasetId | None] = mapped_column(ForeignKey("datasets.id"), default=None)
    against_id: Mapped[DatasetId | None] = mapped_column(ForeignKey("datasets.id"), default=None)
    case_name: Mapped[str | None] = mapped_column(default=None)
    why: Mapped[str | None] = mapped_column(default=None)
    accept: Mapped[bool]
    asked_by: Mapped[str]
    state: Mapped[ConsignmentState] = mapped_column(default=ConsignmentState.WAITING)
    claim_no: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    outcome: Mapped[Outcome | None] = mapped_column(JsonOf(Outcome), default=None)

    def move_to(
        self, session: Session, state: ConsignmentState, *, actor: str, code: str | None = None
    ) -> None:
        """Changes the state and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.state = move(
            session,
            "consignment",
            self.id,
            CONSIGNMENT_MOVES,
            self.state,
            state,
            actor=actor,
            code=code,
            claim_no=self.claim_no or None,
        )
