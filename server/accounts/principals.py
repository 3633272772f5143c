"""Who is asking. Types carry authority: a function that takes an `Admin` cannot be called for others."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

DEFAULT_SLOTS = 64
"""Slots that a run worker may have at once, unless its token says another number."""


class Scope(StrEnum):
    """What a token allows; every token may read."""

    READ = "read"
    SUBMIT = "submit"  # everything a participant changes: teams, uploads, submissions, tokens
    ADMIN = "admin"  # an admin's powers, for admins only


@dataclass(frozen=True)
class User:
    """A signed-in person, with what the token `token_id` allows."""

    id: UUID
    name: str
    is_admin: bool
    scopes: frozenset[str]
    token_id: UUID

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

    id: UUID
    name: str
    slots: int = DEFAULT_SLOTS

    @property
    def actor(self) -> str:
        """How events name this worker."""
        return f"worker:{self.name}"
