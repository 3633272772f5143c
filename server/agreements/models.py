"""Versions of documents, and who accepted them."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from contract.agreements import Before
from contract.ids import AgreementId, ChallengeId, UserId
from server.database import Base, Created, Identified, identity


class Agreement(Created, Base):
    """A version of a document; the one with the highest `number` is the present one. Its text is never changed.

    `digest`: sha256 of the text. `before`: what it has to be accepted for, null where it is only shown. `since`: the
    first version whose acceptance holds for this one, its own number where everybody is asked again.
    """

    __tablename__ = "agreements"
    __table_args__ = (
        UniqueConstraint("challenge_id", "digest"),
        UniqueConstraint("challenge_id", "document", "number"),
    )

    id: Mapped[AgreementId] = identity()
    challenge_id: Mapped[ChallengeId] = mapped_column(ForeignKey("challenges.id"))
    document: Mapped[str]
    number: Mapped[int]
    digest: Mapped[str]
    title: Mapped[str]
    text: Mapped[str] = mapped_column(deferred=True)
    before: Mapped[Before | None]
    since: Mapped[int]
    published_by: Mapped[str]

    @property
    def again(self) -> bool:
        """Whether no acceptance of an earlier version holds."""
        return self.since == self.number


class Acceptance(Identified, Created, Base):
    """A person accepted a version. It stays as evidence where the account is closed, or removed one day."""

    __tablename__ = "acceptances"
    __table_args__ = (UniqueConstraint("agreement_id", "user_id"),)

    agreement_id: Mapped[AgreementId] = mapped_column(ForeignKey("agreements.id"))
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
