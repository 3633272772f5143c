"""What the API says of challenges."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class PhaseOut(BaseModel):
    """A phase and whether it takes submissions now. `tasks` are those that have cases in it."""

    name: str
    title: str
    opens: datetime | None
    closes: datetime | None
    hidden: bool
    open: bool
    attempts: int | None
    tasks: list[str]


class ChallengeOut(BaseModel):
    """A challenge in a list."""

    slug: str
    title: str
    description: str
    tracks: list[str]
    phases: list[PhaseOut]


class ChallengeDetail(ChallengeOut):
    """A challenge with its whole present file and the digest that is its version."""

    version: str
    spec: dict[str, Any]
