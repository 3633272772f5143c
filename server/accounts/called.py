"""What people are called whom events and rows name as `user:<id>`."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.accounts.models import Account

_USER = "user:"


def called(session: Session, actors: Iterable[str | None]) -> dict[str | None, str]:
    """By actor the name of the person; others than people, and those who have none any more, are left out."""
    ids = {UUID(actor.removeprefix(_USER)) for actor in actors if actor and actor.startswith(_USER)}
    if not ids:
        return {}
    rows = session.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))
    return {f"{_USER}{id_}": name for id_, name in rows if name}
