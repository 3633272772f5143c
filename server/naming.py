"""Rows that name blobs, and the removal of blobs that none names, one after the other."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_LOCK = {"lock": 0x50726F63746F72}


def naming(session: Session) -> None:
    """From here to the end of the unit of work no blob is removed: one that is there now can be named in a row."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), _LOCK)


def removing(session: Session) -> None:
    """From here to the end of the unit of work no row that names a blob is committed."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), _LOCK)
