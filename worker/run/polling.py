"""Wake-ups without a broker: the server holds a question until cases come to wait.

Only a slot that holds no case asks: one that has some looks at the queue by itself when they end.
"""

import random
import threading
import time
from collections.abc import Callable

import httpx
import structlog
from pydantic import ValidationError

from worker.run.heartbeat import Heartbeat
from worker.run.lease_client import LeaseClient

HELD_SECONDS = 25.0
"""How long the server holds a question. What comes to wait by time alone, it does not tell: the slot then looks."""
_LEAST_BETWEEN = 1.0  # seconds from question to question, however much happens
_AGAIN = (3.0, 8.0)  # seconds until a server is asked again that did not answer, or knows no wake-ups
_LOOK_UP = 5.0

_log = structlog.get_logger()


class Polling:
    """Asks for wake-ups on behalf of one slot; `wake` makes it look at the queue."""

    def __init__(
        self, client: LeaseClient, heartbeat: Heartbeat, wake: Callable[[], None], stopping: threading.Event
    ) -> None:
        self._client, self._heartbeat = client, heartbeat
        self._wake, self._stopping = wake, stopping
        self._mark: str | None = None

    def poll(self) -> None:
        """Returns when the slot is told to stop; a question that the server holds then is not waited for by others."""
        while not self._stopping.is_set():
            if not self._heartbeat.holds_none_within(_LOOK_UP):
                continue
            began = time.monotonic()
            pause = 0.0 if self._asked() else random.uniform(*_AGAIN)  # noqa: S311 - so that not all come at once
            if self._stopping.is_set():
                return
            self._wake()
            self._stopping.wait(max(pause, _LEAST_BETWEEN - (time.monotonic() - began)))

    def _asked(self) -> bool:
        """Whether the server has answered."""
        try:
            self._mark = self._client.wake_up(self._mark, HELD_SECONDS)
        except (
            httpx.HTTPError,
            ValidationError,
            RuntimeError,
        ) as error:  # RuntimeError: the client was closed
            if not self._stopping.is_set():
                _log.warning("wake_ups_not_heard", error=type(error).__name__)
            return False
        return True
