"""Whom a form is counted for while it is read: as other requests are, for a form comes before any lane."""

from dataclasses import dataclass

from starlette.types import Scope

from server.accounts.tokens import token_hash
from server.browser.cookies import Browser
from server.front import callers
from server.front.budgets import Budget, Standing
from server.front.lanes import Lane
from server.front.middleware import State


@dataclass
class Held:
    """The bytes of one form that are in memory, counted in `lane` for `source`; what is refused is of `budget`.

    A form that is read becomes a request, which spends from the same budget when it is let in. One that is refused
    before spends by `refused`, so that whoever sends nothing but such forms comes to the same end.
    """

    lane: Lane
    source: str
    budget: Budget
    spender: str
    size: int = 0

    @classmethod
    def of(cls, front: State, scope: Scope, browser: Browser) -> "Held":
        """None yet. Whoever did not show of late that their session is good counts as a stranger."""
        hashed = None if browser.token is None else token_hash(browser.token)
        person = None if hashed is None else front.people.whose(hashed)
        if person is None or hashed is None:
            address = callers.address(scope)
            return cls(front.lanes["strangers"], address, front.per_address, address)
        return cls(front.lanes["participants"], person.source, front.per_token, hashed)

    def require(self) -> None:
        """Lets nobody send a form who has no request left.

        Raises:
            NotNow: the budget is spent.
        """
        self.budget.foresee(self.spender).require()

    def refused(self) -> Standing:
        """The form was refused: one request is spent, and this is left."""
        return self.budget.spend(self.spender)

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
