"""Beat's scheduler in a container: a file beside its schedule says when it last worked, for the health check."""

from pathlib import Path

from celery.beat import PersistentScheduler


class WatchedScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """Touches `<schedule>.alive` as often as it writes its schedule, which is every three minutes.

    The schedule's own file does not tell: with Python's `dbm.ndbm`, as Debian has it, it is written at the end alone.
    """

    def sync(self) -> None:
        """Writes the schedule."""
        super().sync()
        Path(f"{self.schedule_filename}.alive").touch()
