"""What the API says of challenges."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, StrictBool

from contract.texts import Prose
from server.challenges.plan import Plan

MOST_OF_A_FILE = 2**20
"""Characters of a challenge file; FOMO26's has some 20,000."""


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


class ChallengeFileIn(BaseModel):
    """A challenge file as its text, with a site's overlay merged over it."""

    file: Annotated[str, Prose(MOST_OF_A_FILE)]
    overlay: Annotated[str, Prose(MOST_OF_A_FILE)] | None = None


class ChallengeApplyIn(ChallengeFileIn):
    """A challenge file to apply. `confirmed` answers the questions of its plan with yes."""

    confirmed: StrictBool = False


class ChallengeApplied(BaseModel):
    """What came of a challenge file, and what it changed."""

    changed: bool
    plan: Plan


class ChallengeDetail(ChallengeOut):
    """A challenge with its whole present file and the digest that is its version."""

    version: str
    spec: dict[str, Any]
