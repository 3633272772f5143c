"""What is sent and answered of challenges."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, StrictBool
from pydantic.json_schema import SkipJsonSchema

from contract.agreements import AgreementOut
from contract.answers import Answer, Older
from contract.changes import Shifts
from contract.texts import Line, Prose

MOST_OF_A_REASON = 500
Why = Annotated[str, Line(MOST_OF_A_REASON, least=1, strip=True)]
"""A reason that everybody may read."""

MOST_OF_A_FILE = 2**20
"""Characters of a challenge file; FOMO26's has some 20,000."""


class PhaseOut(Answer):
    """A phase and whether it takes submissions now. `tasks` are those that have cases in it.

    grace_seconds: for how long after its end it takes what was still being uploaded then; None for no time.
    """

    name: str
    title: str
    opens: datetime | None
    closes: datetime | None
    hidden: bool
    open: bool
    grace_seconds: Annotated[int | None, Older(None)]
    attempts: int | None
    tasks: Annotated[list[str] | SkipJsonSchema[None], Older(None)]


class ChallengeOut(Answer):
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
    """A challenge file to apply. `confirmed` answers the questions of its plan with yes.

    why: shown to everybody where the file amends a phase that has opened.
    """

    confirmed: StrictBool = False
    why: Why | None = None


class Change(Answer):
    """One field: where, what it said and what it says, null where it was or is not there; dates also in words."""

    field: str
    old: str | None
    new: str | None
    words: str | None


class Plan(Answer):
    """What would change. `present`: the version that this was compared with, null for a new challenge.

    `questions` have to be answered with yes; `notes` are worth knowing. shifts: what changes on boards, null where
    there is nothing to compare. Nothing has been changed.
    """

    challenge: str
    version: str
    present: str | None
    changes: list[Change]
    notes: list[str]
    questions: list[str]
    shifts: Annotated[Shifts | None, Older(None)]

    @property
    def is_unchanged(self) -> bool:
        """Whether the file is the present version."""
        return self.present == self.version


class ChallengeApplied(Answer):
    """What came of a challenge file, and what it changed."""

    changed: bool
    plan: Plan


class ChallengeDetail(ChallengeOut):
    """A challenge with its whole present file and the digest that is its version; the documents that people accept.

    registry: host and port that images are pushed to; None where the server has no registry.
    """

    version: str
    spec: dict[str, Any]
    agreements: Annotated[list[AgreementOut], Older([])]
    registry: Annotated[str | None, Older(None)]
