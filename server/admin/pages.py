"""Pages of a list: by id, so that a page is not shifted by what comes meanwhile."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from contract.admin import Item, Page

MOST = 200
"""Items that one page may have."""

_Row = TypeVar("_Row")


def page_of(
    session: Session,
    query: Select[_Row],
    by: InstrumentedAttribute[UUID],
    *,
    after: UUID | None,
    limit: int,
    newest_first: bool = False,
) -> tuple[Sequence[_Row], UUID | None]:
    """The rows of one page, and the id to go on after; None where nothing follows."""
    limit = max(1, min(limit, MOST))
    if after is not None:
        query = query.where(by < after if newest_first else by > after)
    order = by.desc() if newest_first else by
    rows: list[Any] = list(session.scalars(query.order_by(order).limit(limit + 1)).all())
    following = rows[limit - 1].id if len(rows) > limit else None
    return rows[:limit], following


def gathered(ask: Callable[[UUID | None, int], Page[Item]], most: int = sys.maxsize) -> Page[Item]:
    """The first `most` items of a list as one page; `ask` gives those after an id, or the first, so many at most."""
    page = ask(None, most)
    items = [*page.items]
    while page.next is not None and len(items) < most:
        page = ask(page.next, most - len(items))
        items += page.items
    return Page(items=items, next=page.next)
