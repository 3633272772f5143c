"""So much at once of one kind of work, so that no kind takes another's threads."""

import threading
from collections.abc import Callable


class WorkLane:
    """At most `width` at once of one kind of work, each in the thread that brings it.

    Who finds the lane full goes away at once: rows of the database are the queue, and whoever is at work takes the next
    one from there.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._room = threading.BoundedSemaphore(width)

    def enter(self, work: Callable[[], object]) -> bool:
        """Does the work; False, and nothing is done, where the lane is full."""
        if not self._room.acquire(blocking=False):
            return False
        try:
            work()
        finally:
            self._room.release()
        return True
