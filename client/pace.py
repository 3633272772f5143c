"""How often a waiting program looks: soon while something happens, seldom while nothing does."""

import random
from dataclasses import dataclass, field

_FIRST, _GROWTH, _LONGEST, _JITTER = 2.0, 1.2, 10.0, 0.2


@dataclass
class PollPace:
    """Seconds until the next look; `fixed` is what somebody asked for, and holds.

    Hundreds follow their submissions before a deadline. Where nothing changes the pause grows from 2 s to 10 s, for a
    hidden phase shows something new each 15 s at most. It is drawn anew within a fifth, so that those who began
    together do not go on asking together.
    """

    fixed: float | None = None
    _pause: float = field(default=_FIRST, init=False)
    _seen: object = field(default=None, init=False)

    def after(self, state: object) -> float:
        """The pause after a look that showed `state`."""
        if self.fixed is not None:
            return self.fixed
        self._pause = _FIRST if state != self._seen else min(self._pause * _GROWTH, _LONGEST)
        self._seen = state
        return self._pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - nothing secret
