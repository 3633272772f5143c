"""Reference submissions."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from contract.ids import ChallengeId, DatasetId, SpecVersionId
from server.challenges.models import SpecVersion
from server.database import Base, Created, Identified
from server.datasets.models import Dataset


class ReferenceSubmission(Identified, Created, Base):
    """What a score worker made of outputs of its own on one task of a phase; the last one of each is kept.

    `judgements`: what was expected and found, as `evaluator.reference_outputs.Judgement` has it; values only, no case.
    `trouble`: why there are none. `claim_no` fences: a write that names an older one is refused.
    """

    __tablename__ = "reference_submissions"
    __table_args__ = (Index(None, "challenge_id", "phase", "task"),)

    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    phase: Mapped[str]
    task: Mapped[str]
    spec_version_id: Mapped[SpecVersionId] = mapped_column(ForeignKey("spec_versions.id"))
    dataset_id: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"))
    asked_by: Mapped[str]
    claim_no: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    evaluator_version: Mapped[str | None] = mapped_column(default=None)
    trouble: Mapped[str | None] = mapped_column(default=None)
    judgements: Mapped[list[Any]] = mapped_column(default=list)

    spec_version: Mapped[SpecVersion] = relationship()
    dataset: Mapped[Dataset] = relationship()
