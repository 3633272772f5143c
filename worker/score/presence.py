"""A score worker tells that it is there, so that admins learn of challenges that nobody scores."""

import threading
import time
from collections.abc import Sequence

import structlog

from server.database import SessionFactory, unit_of_work
from server.evaluations.scorers import PRESENT, announce
from worker.score.leases import DATABASE_AWAY

_EVERY = PRESENT.total_seconds() / 4

_log = structlog.get_logger()


class Presence:
    """This worker as the database knows it: `name` with its host, and the challenges that it scores (none: all)."""

    def __init__(self, name: str, challenges: Sequence[str]) -> None:
        self._name, self._challenges = name, challenges
        self._told, self._lock = float("-inf"), threading.Lock()

    def show(self, sessions: SessionFactory) -> None:
        """Tells it, where it has not just been told. A database that does not answer is told the next time."""
        with self._lock:
            if time.monotonic() - self._told < _EVERY:
                return
            self._told = time.monotonic()
        try:
            with unit_of_work(sessions) as session:
                announce(session, self._name, self._challenges)
        except DATABASE_AWAY as error:
            self._told = float("-inf")
            _log.warning("presence_not_told", error=type(error).__name__)
