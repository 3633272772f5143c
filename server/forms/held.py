"""The room that forms take while they are read: it is that of other requests, for a form comes before any lane."""

from dataclasses import dataclass

from starlette.types import Scope

from server.accounts.tokens import token_hash
from server.browser.cookies import Browser
from server.front import callers
from server.front.lanes import Lane
from server.front.middleware import State


@dataclass
class Held:
    """The bytes of one form that are in memory, counted in `lane` for `source`."""

    lane: Lane
    source: str
    size: int = 0

    @classmethod
    def of(cls, front: State, scope: Scope, browser: Browser) -> "Held":
        """None yet. Whoever did not show of late that their session is good counts as a stranger."""
        person = None if browser.token is None else front.people.whose(token_hash(browser.token))
        if person is None:
            return cls(front.lanes["strangers"], callers.address(scope))
        return cls(front.lanes["participants"], person.source)

    def more(self, size: int) -> None:
        """So many more.

        Raises:
            Busy: there is no room for them.
        """
        self.lane.hold(self.source, size)
        self.size += size

    def end(self) -> None:
        """They are gone."""
        if self.size:
            self.lane.drop(self.source, self.size)
            self.size = 0
