"""The database's clock, the only one that decides what is in time."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def now(session: Session) -> datetime:
    """The present moment, also within a transaction that began earlier."""
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment
