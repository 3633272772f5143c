"""Who showed a good token of late: their next requests need not queue with those of strangers."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from server.accounts.tokens import token_hash

_MOST_KNOWN = 8192
_LASTS = 3600.0


@dataclass(frozen=True)
class Person:
    """Somebody whose token was good of late; `token_ends`: when, of an API token."""

    source: str
    is_admin: bool
    token_ends: datetime | None = None


class People:
    """Who showed a good token of late, by the token's hash: so many at most, the latest. Called from any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Person]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, token: str, person: Person) -> None:
        """Remembers that this token was good."""
        hashed = token_hash(token)
        with self._lock:
            self._known[hashed] = time.monotonic(), person
            self._known.move_to_end(hashed)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def whose(self, hashed: str) -> Person | None:
        """Whose token has this hash, if it was good within the last hour."""
        with self._lock:
            since, person = self._known.get(hashed, (0.0, None))
        return person if time.monotonic() - since < _LASTS else None
