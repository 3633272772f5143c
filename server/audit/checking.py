"""Checking the chain: whether the event log is what was sealed, computed anew page by page."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, func, select, true
from sqlalchemy.orm import Session

from contract.audit import Damage
from server.audit.chain import BEGINNING, WRITTEN, Head, linked
from server.audit.models import Link
from server.audit.service import SEALED, head
from server.clock import now
from server.events import Event

_PAGE = 10_000
_TOLD = 20
_COMMITTED = timedelta(hours=3)
"""Within this time an event that was written is committed and sealed, by the hourly pass at the latest."""
_FIRST_PASS = timedelta(days=1)
"""So long the first sealing may take, of all that an older version had written."""
_Linked = Row[int, UUID, datetime, bytes, UUID | None, datetime | None, str]


@dataclass(frozen=True)
class Place:
    """A broken place; `seq` is None for an event without a link, `event_id` for an event that is gone."""

    seq: int | None
    event_id: UUID | None
    damage: Damage
    told: str


@dataclass
class Found:
    """What checking found: how many links, where the chain ends, events without a link, and the broken places."""

    head: Head
    checked: int = 0
    unsealed: int = 0
    broken: int = 0
    places: list[Place] = field(default_factory=list)

    def note(self, seq: int | None, event_id: UUID | None, damage: Damage, told: str) -> None:
        """One more broken place; the first ones are kept."""
        self.broken += 1
        if len(self.places) < _TOLD:
            self.places.append(Place(seq, event_id, damage, told))


def check(session: Session, *, since: Head | None = None, anchors: Collection[Head] = ()) -> Found:
    """Computes the chain anew, all of it or what follows a head that is known to be right.

    anchors: heads that were told at some time, to which the chain has to lead. Needs the memory of one page.
    """
    since = since or Head(0, BEGINNING.hex())
    found = Found(head(session))
    told = {anchor.seq: anchor.hash for anchor in (*anchors, since) if anchor.seq}
    for row in _Walk(session, found).rows(since):
        if told.get(row.seq, row.hash.hex()) != row.hash.hex():
            found.note(row.seq, row.event_id, Damage.OTHER_PAST, _other(row.seq))
        told.pop(row.seq, None)
    for seq in told:
        found.note(seq, None, Damage.OTHER_PAST, f"The chain has no link {seq:,}, whose hash was told.")
    _look_before_the_first(session, found)
    _look_for_unsealed(session, found)
    return found


class _Walk:
    """Goes along the links and compares each with its event."""

    def __init__(self, session: Session, found: Found) -> None:
        self._session, self._found = session, found
        self._first = session.scalar(select(Link.sealed_at).order_by(Link.seq).limit(1))

    def rows(self, since: Head) -> Iterator[_Linked]:
        """Every link from `since` on, that one first and not computed anew; what is broken is noted."""
        last, before = since.seq, bytes.fromhex(since.hash)
        passes: tuple[datetime | None, datetime | None] = (None, None)
        for row in self._pages(max(since.seq, 1)):
            if row.sealed_at != passes[1]:
                passes = passes[1], row.sealed_at
            if row.seq != since.seq:
                if row.seq != last + 1:
                    self._gap(last + 1, row.seq - 1)
                self._compare(row, before, passes[0])
            last, before = row.seq, row.hash
            yield row
        if last < self._found.head.seq:
            self._gap(last + 1, self._found.head.seq)

    def _pages(self, first: int) -> Iterator[_Linked]:
        # The offset of none has each event looked up by its key: a page would else read the whole table.
        said = select(Event.id, Event.created_at, WRITTEN.label("written")).where(Event.id == Link.event_id)
        event = said.offset(0).lateral()
        query = (
            select(Link.seq, Link.event_id, Link.sealed_at, Link.hash, *event.c)
            .outerjoin(event, true())
            .order_by(Link.seq)
        )
        upto = Link.seq <= self._found.head.seq
        # By keys, not by numbers: a forged one may be far away.
        while rows := self._session.execute(query.where(Link.seq >= first, upto).limit(_PAGE)).all():
            yield from rows
            first = rows[-1].seq + 1

    def _gap(self, first: int, last: int) -> None:
        which = f"Link {first:,} is" if first == last else f"Links {first:,} to {last:,} are"
        self._found.note(first, None, Damage.UNLINKED, f"{which} missing.")

    def _compare(self, row: _Linked, before: bytes, sealed_before: datetime | None) -> None:
        seq, event_id, sealed_at, hash_, there, created_at, written = row
        self._found.checked += 1
        if there is None or created_at is None:
            self._found.note(seq, None, Damage.REMOVED, f"Event {event_id}, number {seq:,}, is gone.")
        elif linked(before, seq, sealed_at, written) != hash_:
            told = f"Event {event_id}, number {seq:,}, or its link is not what was sealed."
            self._found.note(seq, event_id, Damage.CHANGED, told)
        elif sealed_before is not None and _too_late(created_at, sealed_before, sealed_at, self._first):
            self._found.note(seq, event_id, Damage.INSERTED, _inserted(event_id, created_at, sealed_at))


def _too_late(created_at: datetime, before: datetime, sealed_at: datetime, first: datetime | None) -> bool:
    """Whether an event that was there when it says would have been sealed at `before` already."""
    old = first is not None and created_at < first and sealed_at < first + _FIRST_PASS
    return created_at + _COMMITTED < before and not old


def _look_before_the_first(session: Session, found: Found) -> None:
    """Notes links that the walk never comes to: what they seal would count as sealed, and no hash follows it."""
    outside = select(Link.seq, Link.event_id).where(Link.seq < 1).order_by(Link.seq)
    for seq, event_id in session.execute(outside):
        told = f"Event {event_id} has link {seq:,}, before the first one: inserted later."
        found.note(seq, event_id, Damage.INSERTED, told)


def _look_for_unsealed(session: Session, found: Found) -> None:
    """Counts what no link has, and notes what should long have one."""
    found.unsealed = session.scalar(select(func.count()).select_from(Event).where(~SEALED)) or 0
    if not found.unsealed or found.head.at is None:
        return
    at, first = now(session), session.scalar(select(func.min(Link.sealed_at)))
    query = select(Event.id, Event.created_at).where(~SEALED, Event.created_at < found.head.at - _COMMITTED)
    for event_id, created_at in session.execute(query.order_by(Event.created_at).limit(_TOLD)):
        if _too_late(created_at, found.head.at, at, first):
            found.note(None, event_id, Damage.INSERTED, _inserted(event_id, created_at, None))


def _inserted(event_id: UUID, created_at: datetime, sealed_at: datetime | None) -> str:
    sealed = "is not sealed yet" if sealed_at is None else f"was sealed {_second(sealed_at)} only"
    return f"Event {event_id} says that it was written {_second(created_at)}, and {sealed}: inserted later."


def _second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _other(seq: int) -> str:
    return f"Link {seq:,} has another hash than was told: what came before it is not what it was then."
