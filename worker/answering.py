"""Whether a program that runs still answers: asked again and again, away from whoever wants to know."""

import threading
import time
from collections.abc import Callable

_ASK_EVERY = 2.0
_LEAST_FAILURES = 3


class Answering:
    """Asks `answers` every two seconds in a thread of its own, until `stop`.

    A program counts as silent once it has not answered for `seconds`, and not at fewer than three attempts: a machine
    that stood still for a while has asked nobody meanwhile.
    """

    def __init__(self, answers: Callable[[], bool], *, seconds: float, every: float = _ASK_EVERY) -> None:
        self._answers, self._seconds, self._every = answers, seconds, every
        self._over = threading.Event()
        self._failures = 0
        self._heard = time.monotonic()
        threading.Thread(target=self._ask, name="answering", daemon=True).start()

    @property
    def silent(self) -> bool:
        """Whether it does not answer."""
        return self._failures >= _LEAST_FAILURES and time.monotonic() - self._heard > self._seconds

    def stop(self) -> None:
        """Asks no more; a question that is under way ends by itself."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(self._every):
            if self._answers():
                self._failures, self._heard = 0, time.monotonic()
            else:
                self._failures += 1
