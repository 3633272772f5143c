"""Rows that are written once: amendments, what decides a phase's scores, and promises about its labels."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from contract.ids import ChallengeId, DatasetId, SpecVersionId
from server.challenges.models import SpecVersion
from server.database import Base, Created, Identified
from server.datasets.models import Dataset


class _InOrder:
    """Mixin: when the row was made, so that several of one transaction stay in order."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Amendment(Identified, _InOrder, Base):
    """One change that everybody may read. `spec_version_id`: the version of the file that an act on dates made."""

    __tablename__ = "amendments"

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"), index=True)
    phase: Mapped[str | None]
    task: Mapped[str | None]
    what: Mapped[str]
    why: Mapped[str | None]
    actor: Mapped[str]
    spec_version_id: Mapped[SpecVersionId | None] = mapped_column(ForeignKey("spec_versions.id"))
    version: Mapped[SpecVersion | None] = relationship()


class PhasePlan(Identified, _InOrder, Base):
    """What decides scores and ranks of a phase from `created_at` on; `content` is what `digest` was made of.

    `salt` is part of it, the same in all rows of a phase, and secret until its leaderboard is released: who knows the
    scans could find simple labels by trying.
    """

    __tablename__ = "phase_plans"
    __table_args__ = (Index("ix_phase_plans_challenge_id", "challenge_id", "phase"),)

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    salt: Mapped[str]
    digest: Mapped[str]
    # json, not jsonb: numbers stay as they were written, for the digest is over their text
    content: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)


class LabelCommitment(Identified, Created, Base):
    """The promise that the references of a version of the cases are those of the digest `labels`; both are secret."""

    __tablename__ = "label_commitments"

    dataset_id: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), unique=True)
    salt: Mapped[str]
    labels: Mapped[str]
    actor: Mapped[str]
    dataset: Mapped[Dataset] = relationship()

    @property
    def digest(self) -> str:
        """What is published at once."""
        return salted(self.salt, self.labels)


def salted(salt: str, text: str) -> str:
    """sha256 over `salt` and `text`."""
    return "sha256:" + hashlib.sha256(f"{salt}{text}".encode()).hexdigest()
