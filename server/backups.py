"""When the last whole backup was made, as `DATA` says it."""

from datetime import UTC, datetime
from pathlib import Path

_FILE = "last_backup"


def note_backup(data: Path, at: datetime) -> None:
    """Notes that a whole backup is of this moment."""
    (data / _FILE).write_text(at.astimezone(UTC).isoformat())


def last_backup(data: Path) -> datetime | None:
    """The moment that the last whole backup holds; None where none is known."""
    try:
        return datetime.fromisoformat((data / _FILE).read_text().strip())
    except (OSError, ValueError):
        return None
