"""The one place where passwords are hashed: few at a time, for each takes a processor for a while and 19 MiB.

Nobody calls this with a database connection in hand: who waits for a turn would keep it from others.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import busy

_WAIT_SECONDS = 10.0

# OWASP's argon2id parameters: 19 MiB, two rounds.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Lane:
    """Lets `most` work at a time and `waiting` wait; the last quarter of the places is for those who are known."""

    def __init__(self, most: int, waiting: int) -> None:
        self._turns = threading.BoundedSemaphore(most)
        self._places = {False: most + waiting * 3 // 4, True: most + waiting}
        self.taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, *, known: bool = False) -> Iterator[None]:
        """One's turn.

        Raises:
            Busy: too many wait already, or it took too long.
        """
        with self._lock:
            if self.taken >= self._places[known]:
                raise busy("Too many people are logging in right now.")
            self.taken += 1
        try:
            if not self._turns.acquire(timeout=_WAIT_SECONDS):
                raise busy("Too many people are logging in right now.")
            try:
                yield
            finally:
                self._turns.release()
        finally:
            with self._lock:
                self.taken -= 1


LANE = Lane(max(1, len(os.sched_getaffinity(0)) // 2), waiting=16)


def hashed(password: str, *, known: bool = False) -> str:
    """How a password is stored.

    Raises:
        Busy: too many passwords are being looked at.
    """
    with LANE.turn(known=known):
        return _hasher.hash(password)


def verifies(stored: str | None, password: str, *, known: bool = False) -> bool:
    """Whether this is the password that was stored; it takes as long where none was.

    Raises:
        Busy: too many passwords are being looked at.
    """
    with LANE.turn(known=known):
        try:
            return _hasher.verify(stored or _nobodys_hash(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether a password is stored with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody")
