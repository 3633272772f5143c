"""Counts of what was tried lately, and their bounds. What strangers can make rows of has a bounded number of rows."""

import hashlib
import hmac
import math
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.accounts.models import Tally

ROW_KEY = "tallies_key"
"""In a session's `info`: the key under which rows are chosen. Nobody who does not have it finds two that share one."""
_PRUNED = 50
_DIGITS = 4


@dataclass(frozen=True)
class Bound:
    """At most `most` of something within a window that begins with the first.

    `by_anybody`: strangers choose what is counted, so that it is counted in 65,536 rows and no more; two that share
    a row share the bound, and which two do depends on the installation's secret.
    """

    name: str
    most: int
    within: timedelta
    by_anybody: bool = True

    def at(self, most: int) -> "Bound":
        """The same with another number."""
        return replace(self, most=most)

    def key(self, *of: object, secret: str = "") -> str:
        """The row that this is counted in."""
        told = "\0".join(("tally", *map(str, of))).encode(errors="replace")
        digest = hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()
        return f"{self.name}:{digest[:_DIGITS] if self.by_anybody else digest}"


def count(session: Session, bound: Bound, *of: object) -> timedelta | None:
    """Counts one more; None, or how long it takes until there is room again.

    Whoever is refused raises, so that the refused one is not counted.
    """
    over = Tally.ends <= func.now()
    taken, ends, now = session.execute(
        insert(Tally)
        .values(key=_key(session, bound, of), count=1, ends=func.now() + bound.within)
        .on_conflict_do_update(
            index_elements=[Tally.key],
            set_={
                "count": case((over, 1), else_=func.least(Tally.count, bound.most) + 1),
                "since": case((over, func.now()), else_=Tally.since),
                "ends": case((over, func.now() + bound.within), else_=Tally.ends),
            },
        )
        .returning(Tally.count, Tally.ends, func.now())
    ).one()
    return None if taken <= bound.most else max(ends - now, timedelta(seconds=1))


def give_back(session: Session, bound: Bound, *of: object) -> None:
    """Counts one less, for it was none of those that are bounded."""
    session.execute(
        update(Tally)
        .where(Tally.key == _key(session, bound, of), Tally.count > 0)
        .values(count=Tally.count - 1)
    )


def forget(session: Session, bound: Bound, *of: object) -> None:
    """Begins anew."""
    session.execute(delete(Tally).where(Tally.key == _key(session, bound, of)))


def _key(session: Session, bound: Bound, of: tuple[object, ...]) -> str:
    return bound.key(*of, secret=session.info.get(ROW_KEY, ""))


def prune(session: Session) -> None:
    """Removes some rows whose window is over; the last thing that a unit of work does here, for it locks them."""
    ended = (
        select(Tally.key)
        .where(Tally.ends <= func.now())
        .order_by(Tally.ends)
        .limit(_PRUNED)
        .with_for_update(skip_locked=True)
    )
    session.execute(
        delete(Tally)
        .where(Tally.key.in_(ended.scalar_subquery()))
        .execution_options(synchronize_session=False)
    )


def later(what: str, wait: timedelta, then: str = "") -> str:
    """What was too much, in words that say when there is room again."""
    minutes = math.ceil(wait.total_seconds() / 60)
    said = f"{minutes} minutes" if minutes <= 120 else f"{math.ceil(minutes / 60)} hours"
    return f"{what} Wait {said} and try again{then}."
