"""Datasets and their cases. Labels and groups are not in the database: they lie in the references tree only."""

from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from contract.ids import CaseId, ChallengeId, DatasetId, SpecVersionId
from server.database import Base, Created, identity
from server.moves import move


class DatasetState(StrEnum):
    """Where a version of the cases stands. At most one of a (challenge, phase, task) is in force."""

    STAGED = "staged"  # imported, and nothing has run on it yet
    ACTIVE = "active"  # in force: submissions run on it, boards and attempts count what was scored on it
    SUPERSEDED = "superseded"  # was in force; its files are kept, so it can be again
    DROPPED = "dropped"  # its files are gone


_S = DatasetState

DATASET_MOVES: dict[DatasetState, frozenset[DatasetState]] = {
    _S.STAGED: frozenset({_S.ACTIVE, _S.DROPPED}),
    _S.ACTIVE: frozenset({_S.SUPERSEDED}),
    _S.SUPERSEDED: frozenset({_S.ACTIVE, _S.DROPPED}),
    _S.DROPPED: frozenset({_S.STAGED}),  # the same content was imported again
}


class Dataset(Created, Base):
    """A version of the cases of one task for one phase."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("challenge_id", "phase", "task", "digest"),
        Index(None, "challenge_id", "phase", "task", "created_at"),
        Index(
            "uq_datasets_in_force",
            "challenge_id",
            "phase",
            "task",
            unique=True,
            postgresql_where=text("state = 'active'"),
        ),
    )

    id: Mapped[DatasetId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    task: Mapped[str]
    digest: Mapped[str]
    folder: Mapped[str]
    state: Mapped[DatasetState] = mapped_column(default=DatasetState.ACTIVE, server_default="superseded")
    imported_by: Mapped[str | None] = mapped_column(default=None)
    # The version of the challenge file under which they were last found to fit; None: imported before it was kept.
    fits_version_id: Mapped[SpecVersionId | None] = mapped_column(
        ForeignKey("spec_versions.id"), default=None
    )
    cases: Mapped[list["Case"]] = relationship(order_by="Case.ordinal", back_populates="dataset")

    def move_to(self, session: Session, state: DatasetState, *, actor: str, why: str | None = None) -> None:
        """Changes the state and records the event.

        Raises:
            IllegalMove: the table of moves does not hold it.
        """
        self.state = move(session, "dataset", self.id, DATASET_MOVES, self.state, state, actor=actor, why=why)


IN_FORCE = Dataset.state == DatasetState.ACTIVE
"""The one expression of which datasets count: for new submissions, on boards and for attempts."""


class Case(Base):
    """One case: its inputs as {key: {"path", "sha256", "size", "voxels"}}, paths relative to the inputs tree.

    `voxels` is the digest of the image whatever its file looks like; imports before it existed have none.
    """

    __tablename__ = "cases"
    __table_args__ = (UniqueConstraint("dataset_id", "ordinal"), UniqueConstraint("dataset_id", "name"))

    id: Mapped[CaseId] = identity()
    dataset_id: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"))
    ordinal: Mapped[int]
    name: Mapped[str]
    files: Mapped[dict[str, Any]]
    dataset: Mapped[Dataset] = relationship(back_populates="cases")
