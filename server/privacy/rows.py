"""Which rows name a person: found by the foreign keys of all tables, so that no table is forgotten.

A key that is declared ON DELETE CASCADE is of a row that is the person's alone, and goes with them; any other is of a
row that stays without them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, delete, func, or_, select
from sqlalchemy.orm import Session

from contract.ids import UserId
from server.accounts.models import Account
from server.database import Base

_CLOSED = ("hash", "secret", "key", "payload", "nonce", "verifier", "typed")
"""What opens something, by the name of its column; a mail that waits holds a code that only its mailbox is to have."""


@dataclass(frozen=True)
class Naming:
    """A column that names people."""

    column: Column[Any]
    goes: bool

    @property
    def name(self) -> str:
        """As table.column."""
        return str(self.column)

    @property
    def table(self) -> Table:
        """Where it is."""
        table: Table = self.column.table
        return table


def naming() -> Iterator[Naming]:
    """All columns that name people."""
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                if key.column.table.name == Account.__tablename__:
                    yield Naming(column, key.ondelete == "CASCADE")


def counts(session: Session, user_id: UserId, *, goes: bool) -> dict[str, int]:
    """How many rows name a person, by column; of those that go or of those that stay."""
    places = [place for place in naming() if place.goes is goes]
    each = [
        select(func.count()).select_from(place.table).where(place.column == user_id).scalar_subquery()
        for place in places
    ]
    found = session.execute(select(*each)).one()
    return {place.name: count for place, count in zip(places, found, strict=True) if count}


def remove(session: Session, user_id: UserId) -> None:
    """Removes the rows that are the person's alone; those that refer to others first."""
    for place in reversed(list(naming())):
        if place.goes:
            session.execute(delete(place.table).where(place.column == user_id))
    session.expire_all()


def rows(session: Session, user_id: UserId) -> dict[str, list[dict[str, Any]]]:
    """The rows that name a person, by table, without what opens anything; as JSON."""
    columns: dict[Table, list[ColumnElement[bool]]] = {}
    for place in naming():
        columns.setdefault(place.table, []).append(place.column == user_id)
    found = {}
    for table, mine in columns.items():
        shown = [column for column in table.columns if not _is_closed(column.name)]
        query = select(*shown).where(or_(*mine)).order_by(*table.primary_key)
        if listed := [dict(row) for row in session.execute(query).mappings()]:
            found[table.name] = listed
    return found


def _is_closed(name: str) -> bool:
    return any(word in name.split("_") for word in _CLOSED)
