"""What scoring made of an evaluation, stored whole, and the signed receipts of what ran."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import EvaluationId
from server.database import Base, Created, Identified


class Score(Identified, Base):
    """One metric of one board of one evaluation: what a report says of it, see `evaluator.scoring.MetricReport`.

    replicates and influence are float64, NaN where a replicate is undefined. note: what the interval does not tell, or
    why there is none. lacks: what was not kept yet when it was scored; null where nothing is missing.
    """

    __tablename__ = "scores"
    __table_args__ = (UniqueConstraint("evaluation_id", "board", "metric"),)

    evaluation_id: Mapped[EvaluationId] = mapped_column(ForeignKey("evaluations.id"))
    board: Mapped[str]
    metric: Mapped[str]
    value: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    interval_method: Mapped[str | None] = mapped_column("method", default=None)
    reason: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(default=None)
    fault: Mapped[str | None] = mapped_column(default=None)
    lacks: Mapped[str | None] = mapped_column(default=None)
    # Loaded only where they are read: kilobytes each, and a page that is asked for every second shows none.
    replicates: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    influence: Mapped[bytes | None] = mapped_column(LargeBinary, default=None, deferred=True)
    per_case: Mapped[list[float | None] | None] = mapped_column(
        ARRAY(DOUBLE_PRECISION), default=None, deferred=True
    )


class BoardReport(Base):
    """What scoring made of a board of an evaluation, without what its scores hold; for admins, it names cases."""

    __tablename__ = "reports"

    evaluation_id: Mapped[EvaluationId] = mapped_column(ForeignKey("evaluations.id"), primary_key=True)
    board: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]


class Receipt(Created, Base):
    """The signed statement of what ran on what, with what; admins and organizers read it."""

    __tablename__ = "receipts"

    evaluation_id: Mapped[EvaluationId] = mapped_column(ForeignKey("evaluations.id"), primary_key=True)
    statement: Mapped[dict[str, Any]]
    signature: Mapped[str]


class ReceiptKey(Identified, Created, Base):
    """A public key that receipts of this installation were signed with; one is in use, the others are retired.

    It is derived from the secret key, so it also tells whether that is still the installation's.
    """

    __tablename__ = "receipt_keys"
    __table_args__ = (
        Index(
            "uq_receipt_keys_present",
            text("(retired_at IS NULL)"),
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
    )

    public_key: Mapped[str] = mapped_column(unique=True)
    retired_at: Mapped[datetime | None] = mapped_column(default=None)
