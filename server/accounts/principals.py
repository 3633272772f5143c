"""Who is asking. Types carry authority: a function that takes an `Admin` cannot be called for others."""

from dataclasses import dataclass
from typing import Self

from contract.accounts import DEFAULT_SLOTS, Scope
from contract.ids import ChallengeId, TokenId, UserId


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


OPERATOR = "proctor-admin"


@dataclass(frozen=True)
class Operator(Admin):
    """Whoever gives commands on the machine of the installation itself: an admin without an account."""

    @property
    def actor(self) -> str:
        """How events name such a command."""
        return OPERATOR


@dataclass(frozen=True)
class Observer:
    """Somebody who may see everything of one challenge; `server.organizers.access` finds out who may."""

    challenge_id: ChallengeId
    actor: str

    @classmethod
    def of(cls, user: User, challenge_id: ChallengeId) -> Self:
        """`user` in that role; whoever calls this has made sure of it."""
        return cls(challenge_id, user.actor)


@dataclass(frozen=True)
class Organizer(Observer):
    """Somebody who decides in one challenge, and about nothing else."""


@dataclass(frozen=True)
class RunWorker:
    """A run worker, known by its token; `slots` is how many it may have at once, `drains`: it gets no new case."""

    id: TokenId
    name: str
    slots: int = DEFAULT_SLOTS
    drains: bool = False

    @property
    def actor(self) -> str:
        """How events name this worker."""
        return f"worker:{self.name}"
