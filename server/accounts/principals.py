"""Who is asking. Types carry authority: a function that takes an `Admin` cannot be called for anybody else."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class User:
    """A signed-in person, with what the token allows."""

    id: UUID
    name: str
    is_admin: bool
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How events name this person."""
        return f"user:{self.id}"


@dataclass(frozen=True)
class Admin(User):
    """A signed-in admin."""


@dataclass(frozen=True)
class RunWorker:
    """A run worker, known by its token."""

    id: UUID
    name: str

    @property
    def actor(self) -> str:
        """How events name this worker."""
        return f"worker:{self.name}"
