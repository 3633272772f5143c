"""Sealing the event log: what has been committed becomes links of the chain.

Events are not chained when they are written, for then all who write would wait for one another. Whoever seals links
what it finds: the order of the chain is that of sealing. An event whose transaction ended late, with an id that is
smaller than others', is simply linked after them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, insert, select
from sqlalchemy.orm import Session

from server.audit.chain import BEGINNING, WRITTEN, Head, linked
from server.audit.models import Link
from server.clock import now
from server.database import SessionFactory, unit_of_work
from server.events import Event
from server.ids import first_id

SEALED = select(Link.event_id).where(Link.event_id == Event.id).exists()
"""Whether an event is in the chain."""

_LOCK = 5_214_771_906  # of this advisory lock; any number that nothing else takes
_AT_ONCE = 10_000
_LATE = timedelta(minutes=5)
"""What was written so long before the last sealing and committed after it is found; older ones by a thorough pass."""


def head(session: Session) -> Head:
    """The last link of the chain."""
    last = session.scalars(select(Link).order_by(Link.seq.desc()).limit(1)).first()
    return Head(0, BEGINNING.hex()) if last is None else Head(last.seq, last.hash.hex(), last.sealed_at)


def seal(session: Session) -> Head:
    """Seals what is new, this transaction's own events too; others that seal wait for its end. The new head."""
    session.flush()
    session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last, at, found = head(session), now(session), True
    since = _since(last)
    while found:
        found, since, last = _link(session, last, since, at)
    return last


def seal_all(sessions: SessionFactory, *, thorough: bool = False) -> int:
    """Seals what is new, in several units of work; nothing where another process is at it. How many it were.

    thorough: also what was committed minutes after it was begun, for which it goes through the whole log.
    """
    sealed, since, at, found = 0, None, None, True
    while found:
        with unit_of_work(sessions) as session:
            if at is not None:
                session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            elif not session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                return 0
            last = head(session)
            if at is None:
                since, at = None if thorough else _since(last), now(session)
            found, since, after = _link(session, last, since, at)
            sealed += after.seq - last.seq
    return sealed


def _since(last: Head) -> UUID | None:
    """No event that began so lately has a smaller id."""
    return None if last.at is None else first_id(last.at, earlier=_LATE)


def _link(session: Session, last: Head, since: UUID | None, at: datetime) -> tuple[bool, UUID | None, Head]:
    """Links the next events: whether there may be more, from which id on, and the new head."""
    rows = _unsealed(session, since)
    links, before = [], bytes.fromhex(last.hash)
    for seq, (event_id, written) in enumerate(rows, last.seq + 1):
        before = linked(before, seq, at, written)
        links.append({"seq": seq, "event_id": event_id, "sealed_at": at, "hash": before})
    if not links:
        return False, since, last
    session.execute(insert(Link), links)
    return len(rows) == _AT_ONCE, rows[-1][0], Head(last.seq + len(links), before.hex(), at)


def _unsealed(session: Session, since: UUID | None) -> Sequence[Row[UUID, str]]:
    """The next events that are in no link, with what is sealed of them, by id."""
    begun: list[ColumnElement[bool]] = [] if since is None else [Event.id >= since]
    query = select(Event.id, WRITTEN).where(~SEALED, *begun).order_by(Event.id).limit(_AT_ONCE)
    return session.execute(query).all()
