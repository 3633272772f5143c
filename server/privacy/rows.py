"""Which rows name a person: found by the foreign keys of all tables, so that no table is forgotten.

A key that is declared ON DELETE CASCADE is of a row that is the person's alone, and goes with them; any other is of a
row that stays without them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.orm import Session

from contract.ids import UserId
from server.accounts.models import Account
from server.database import Base

_CLOSED = ("hash", "secret", "key")
"""What opens something, by the name of its column."""


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
    found = {
        place.name: session.scalar(
            select(func.count()).select_from(place.table).where(place.column == user_id)
        )
        for place in naming()
        if place.goes is goes
    }
    return {name: count for name, count in found.items() if count}


def remove(session: Session, user_id: UserId) -> None:
    """Removes the rows that are the person's alone; those that refer to others first."""
    for place in reversed(list(naming())):
        if place.goes:
            session.execute(delete(place.table).where(place.column == user_id))
    session.expire_all()


def rows(session: Session, user_id: UserId) -> dict[str, list[dict[str, Any]]]:
    """The rows that name a person, by table, without what opens anything; as JSON."""
    found: dict[str, list[dict[str, Any]]] = {}
    for place in naming():
        shown = [column for column in place.table.columns if not _is_closed(column.name)]
        query = select(*shown).where(place.column == user_id).order_by(*place.table.primary_key)
        listed = [dict(row) for row in session.execute(query).mappings()]
        if listed:
            kept = found.setdefault(place.table.name, [])
            kept += [row for row in listed if row not in kept]
    return found


def _is_closed(name: str) -> bool:
    return any(word in name.split("_") for word in _CLOSED)
