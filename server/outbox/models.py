"""What waits to be delivered, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from contract.ids import DeliveryId, EndpointId, UserId
from contract.notices import Channel, DeliveryStatus
from server.database import Base, Created, identity


class Delivery(Created, Base):
    """One message to one receiver.

    `key` names what it tells and to whom: a second one of the same key is none. `address`: whom a mail goes to; a
    webhook goes to its endpoint. `payload` is dropped once the message has ended, for it may hold what only its
    receiver is to read. `next_at`: not before. While it is tried, that is when a courier that died over it is no
    longer waited for. `error`: what came of the last try that failed.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_queued", "channel", "next_at", postgresql_where=text("status = 'queued'")),
        Index(None, "endpoint_id", "created_at"),
        Index(None, "ended_at"),
    )

    id: Mapped[DeliveryId] = identity()
    channel: Mapped[Channel]
    key: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UserId | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    endpoint_id: Mapped[EndpointId | None] = mapped_column(
        ForeignKey("webhook_endpoints.id", ondelete="CASCADE")
    )
    address: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    ended_at: Mapped[datetime | None]
