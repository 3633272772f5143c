"""How many requests a token, or without a good one an address, may send: so many a minute, all at once if need be.

Counted by the generic cell rate algorithm (ITU-T I.371): one moment per source, at which its budget is full again. It
is counted in this process alone and forgotten with it; several servers each give the whole budget.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from contract.problems import ErrorCode
from server.errors import NotNow

WINDOW = 60.0
_MOST_KEPT = 65_536  # sources; whoever was longest away is forgotten, whose budget is most likely full


@dataclass(frozen=True)
class Standing:
    """What is left of a budget of `most` requests; `wait`: seconds until the one that asked is let in, 0 if it is."""

    name: str
    most: int
    left: int
    wait: float
    full_in: float

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """As the draft of the IETF has them (draft-ietf-httpapi-ratelimit-headers)."""
        policy = f'"{self.name}";q={self.most};w={WINDOW:.0f}'
        standing = f'"{self.name}";r={self.left};t={math.ceil(self.full_in)}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", standing.encode())]

    def require(self) -> None:
        """Refuses what is beyond the budget.

        Raises:
            NotNow: it is spent.
        """
        if self.wait > 0:
            seconds = math.ceil(self.wait)
            raise NotNow(
                ErrorCode.TOO_MANY_REQUESTS,
                f"This {self.name} has sent more than {self.most} requests within a minute. Nothing was done: wait "
                f"{seconds} seconds and go on slower.",
                seconds=seconds,
            )


class Budget:
    """So many requests a minute for each source; for one event loop."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def spend(self, source: str) -> Standing:
        """One more request of a source; one that is refused spends nothing."""
        standing, full_at = self._with_one_more(source)
        self._full_at[source] = full_at
        self._full_at.move_to_end(source)
        if len(self._full_at) > _MOST_KEPT:
            self._full_at.popitem(last=False)
        return standing

    def foresee(self, source: str) -> Standing:
        """How a source would stand after one more request; nothing is spent."""
        return self._with_one_more(source)[0]

    def _with_one_more(self, source: str) -> tuple[Standing, float]:
        now, each = time.monotonic(), WINDOW / self.most
        full_at = max(self._full_at.get(source, now), now) + each
        wait = max(full_at - now - WINDOW - each * 1e-6, 0.0)  # sums of shares of a window end beside it
        if wait > 0:
            full_at -= each
        left = max(math.floor((WINDOW - (full_at - now)) / each + 1e-6), 0)
        return Standing(self.name, self.most, left, wait, full_at - now), full_at
