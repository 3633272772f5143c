"""Challenges and spec versions. A version is never changed; a changed file is a new one."""

from functools import cached_property
from typing import Any

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from contract.ids import ChallengeId, SpecVersionId
from evaluator.spec import Challenge as Spec
from evaluator.spec import parse_challenge
from server.database import Base, Created, identity


class Challenge(Created, Base):
    """A challenge; its present version is the one applied last. `released` names phases whose seal is broken."""

    __tablename__ = "challenges"

    id: Mapped[ChallengeId] = identity()
    slug: Mapped[str] = mapped_column(unique=True)
    released: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    current_version_id: Mapped[SpecVersionId | None] = mapped_column(
        ForeignKey("spec_versions.id", use_alter=True), default=None
    )
    # One query for those of all challenges of a list: almost whoever reads a challenge reads its file.
    current_version: Mapped["SpecVersion | None"] = relationship(
        foreign_keys=[current_version_id], lazy="selectin"
    )

    @property
    def spec(self) -> Spec:
        """The present version's content."""
        if self.current_version is None:  # a challenge is made together with its first version
            raise LookupError(f"challenge {self.slug} has no version")
        return self.current_version.spec


class SpecVersion(Created, Base):
    """One version of a challenge file: its digest and its parsed content."""

    __tablename__ = "spec_versions"
    __table_args__ = (UniqueConstraint("challenge_id", "digest"),)

    id: Mapped[SpecVersionId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    digest: Mapped[str]
    # json, not jsonb, which would lose the file's order of boards, metrics and phases
    content: Mapped[dict[str, Any]] = mapped_column(JSON)

    @cached_property
    def spec(self) -> Spec:
        """The parsed content as typed models."""
        return parse_challenge(self.content)
