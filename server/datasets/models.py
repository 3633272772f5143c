"""Datasets and their cases. Labels and groups are not in the database: they lie in the references tree only."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.database import Base, Created, Identified


class Dataset(Identified, Created, Base):
    """Cases of one task for one phase; the newest of a (challenge, phase, task) is the one in use."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("challenge_id", "phase", "task", "digest"),
        Index(None, "challenge_id", "phase", "task", "created_at"),
    )

    challenge_id: Mapped[UUID] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    task: Mapped[str]
    digest: Mapped[str]
    folder: Mapped[str]
    cases: Mapped[list["Case"]] = relationship(order_by="Case.ordinal", back_populates="dataset")


NEWEST_FIRST = (Dataset.created_at.desc(), Dataset.id.desc())
"""The order of datasets in which the one in use comes first, whichever transaction made them."""


class Case(Identified, Base):
    """One case: its inputs as {key: {"path", "sha256", "size"}}, paths relative to the inputs tree."""

    __tablename__ = "cases"
    __table_args__ = (UniqueConstraint("dataset_id", "ordinal"), UniqueConstraint("dataset_id", "name"))

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id"))
    ordinal: Mapped[int]
    name: Mapped[str]
    files: Mapped[dict[str, Any]]
    dataset: Mapped[Dataset] = relationship(back_populates="cases")
