"""Whether a database is being restored: what `proctor-admin restore` has not ended is no installation yet."""

from sqlalchemy import Connection, text

RESTORING = "restore_under_way"
"""The table that is there until a restore into a database of one's own has ended."""
RESTORE_LOCK = 0x726573746F7265
"""Any number: all who restore into a database hold this advisory lock of it."""
UNFINISHED = (
    "A restore into this database has not ended. Run 'proctor-admin restore' again, which begins anew; until then "
    "nothing works on it."
)


def is_restoring(connection: Connection) -> bool:
    """Whether a restore has begun here and not ended."""
    return connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"public.{RESTORING}"}) is not None
