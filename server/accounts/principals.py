"""Who is asking. Types carry authority: a function that takes an `Admin` cannot be called for others."""

from dataclasses import dataclass

from contract.accounts import DEFAULT_SLOTS, Scope
from contract.ids import TokenId, UserId


@dataclass(frozen=True)
class User:
    """A signed-in person, with what the token `token_id` allows."""

    id: UserId
    name: str
    is_admin: bool
    scopes: frozenset[str]
    token_id: TokenId

    @property
    def actor(self) -> str:
        """How events name this person."""
        return f"user:{self.id}"

    @property
    def acts_as_admin(self) -> bool:
        """Whether this person is an admin and the token says so too."""
        return self.is_admin and Scope.ADMIN in self.scopes


@dataclass(frozen=True)
class Admin(User):
    """A signed-in admin."""


@dataclass(frozen=True)
class RunWorker:
    """A run worker, known by its token; `slots` is how many it may have at once."""

    id: TokenId
    name: str
    slots: int = DEFAULT_SLOTS

    @property
    def actor(self) -> str:
        """How events name this worker."""
        return f"worker:{self.name}"
