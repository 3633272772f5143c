"""When the last whole backup was made, as `DATA` says it."""

from datetime import UTC, datetime
from pathlib import Path

from server.disk import closed

NOTE = "last_backup"
_FILE = f"uploads/{NOTE}"
"""In what the server and every score worker share, also as volumes, and what is in no backup."""
_EARLIER = NOTE


def note_backup(data: Path, at: datetime) -> None:
    """Notes that a whole backup is of this moment."""
    closed(data / "uploads")
    (data / _FILE).write_text(at.astimezone(UTC).isoformat())


def last_backup(data: Path) -> datetime | None:
    """The moment that the last whole backup holds; None where none is known."""
    noted = [at for name in (_FILE, _EARLIER) if (at := _read(data / name)) is not None]
    return max(noted, default=None)


def _read(path: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(path.read_text().strip())
    except (OSError, ValueError):
        return None
