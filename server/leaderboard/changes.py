"""Which challenges' boards have changed, as the database tells it."""

from collections.abc import Callable

from server.hearing import Hearing, Subscriber

CHANNEL = "boards"


class Changes:
    """Counts changes of boards, as far as they are heard. `then`: done after each, and never waited for."""

    def __init__(self, hearing: Hearing, then: Callable[[], None] = lambda: None) -> None:
        self.hearing = hearing
        self._then = then
        self.count = 0
        self._last: dict[str, int] = {}
        self._forgotten = 0
        hearing.subscribe(CHANNEL, Subscriber(self._hear, self._forget))

    def since(self, challenge: str, phase: str, count: int) -> bool:
        """Whether the board of a phase changed after the count of changes was `count`, or may have."""
        told = (self._last.get(challenge, 0), self._last.get(f"{challenge} {phase}", 0), self._forgotten)
        return max(told) > count

    def _hear(self, board: str) -> None:
        self.count += 1
        self._last[board] = self.count
        self._then()

    def _forget(self) -> None:
        self.count += 1
        self._forgotten = self.count
