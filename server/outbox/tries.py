"""Taking messages out of the outbox to try them, and noting what came of it.

A message is taken by moving its next moment into the future: a courier that dies over it leaves it to be tried again
then, with the same id, by which its receiver knows it.
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from contract.ids import EndpointId
from contract.notices import Channel, DeliveryStatus
from server.clock import now
from server.outbox.models import OutboxMessage

LONGEST = timedelta(days=1)
"""For so long a message is tried."""
_KEPT = timedelta(days=30)
_TAKEN = timedelta(minutes=5)
"""A try is over by then; whoever took the message and said nothing has died."""
_FIRST_PAUSE = timedelta(seconds=10)
_SPREAD = 0.25
_LONGEST_ERROR = 500


@dataclass(frozen=True)
class Tried:
    """What came of a try: taken, or why not. `final`: it is of no use to try again."""

    error: str | None = None
    final: bool = False

    def __post_init__(self) -> None:
        """Bounds the words, which whoever refused it chose; no row takes a NUL."""
        if self.error is not None:
            object.__setattr__(self, "error", self.error[:_LONGEST_ERROR].replace("\0", "\ufffd"))


TAKEN = Tried()


def take(
    session: Session, channel: Channel, *, limit: int, busy: Collection[EndpointId] = ()
) -> Sequence[OutboxMessage]:
    """Messages whose moment has come, the longest waiting first, one at most for each endpoint that is not `busy`.

    They are the caller's for minutes; other couriers take others.
    """
    due = [
        OutboxMessage.channel == channel,
        OutboxMessage.status == DeliveryStatus.QUEUED,
        OutboxMessage.next_at <= func.clock_timestamp(),
    ]
    if channel is Channel.WEBHOOK:  # chosen first: thousands to one endpoint keep no other one waiting
        if busy:
            due.append(OutboxMessage.endpoint_id.not_in(busy))
        oldest = select(OutboxMessage.id).where(*due).ext(distinct_on(OutboxMessage.endpoint_id))
        order = OutboxMessage.endpoint_id, OutboxMessage.next_at
        due.append(OutboxMessage.id.in_(oldest.order_by(*order)))
    waiting = select(OutboxMessage.id).where(*due).order_by(OutboxMessage.next_at).limit(limit)
    ids = session.scalars(waiting.with_for_update(skip_locked=True)).all()
    taken = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(ids))
        .values(next_at=func.clock_timestamp() + _TAKEN, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage)
    )
    return session.scalars(taken, execution_options={"populate_existing": True}).all()


def note(
    session: Session, delivery: OutboxMessage, tried: Tried, *, first_pause: timedelta = _FIRST_PAUSE
) -> bool:
    """Notes what came of a try; whether that was the last one and the message is given up."""
    row = session.scalar(select(OutboxMessage).where(OutboxMessage.id == delivery.id).with_for_update())
    if row is None or row.status is not DeliveryStatus.QUEUED:
        return False
    at = now(session)
    pause = first_pause * 2 ** (row.attempts - 1) * (1 + _SPREAD * random.random())  # noqa: S311
    row.error = tried.error
    if tried.error is not None and not tried.final and at + pause < row.created_at + LONGEST:
        row.next_at = at + pause
        return False
    row.status = DeliveryStatus.DELIVERED if tried.error is None else DeliveryStatus.GIVEN_UP
    row.payload, row.ended_at = {}, at
    return row.status is DeliveryStatus.GIVEN_UP


def forget_old(session: Session) -> None:
    """Removes what ended a month ago."""
    session.execute(delete(OutboxMessage).where(OutboxMessage.ended_at < func.now() - _KEPT))
