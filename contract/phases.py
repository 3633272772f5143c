"""What organizers decide about phases, and what everybody may read of it: dates, releases, amendments, commitments."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from contract.answers import Answer, Id, Older
from contract.audit import HeadOut
from contract.bounds import AwareMoment, Strict
from contract.challenges import Plan, Why
from contract.texts import Line

MOST_SECONDS = 5 * 366 * 86_400
ORGANIZERS = "the organizers"
"""Who amends a challenge, as far as everybody is told; the event log names the account."""
FIRST_CASES = "its first cases count"
"""How an amendment says that a task has its first cases in a phase."""


class AmendmentOut(Answer):
    """A change that was made after people could rely on what was said before.

    phase and task: what it concerns, None for all. why: the organizers' reason, None where they gave none. by: who.
    """

    id: Id
    at: datetime
    phase: str | None
    task: str | None
    what: str
    why: str | None
    by: str


def is_first(what: str) -> bool:
    """Whether an amendment says that a task has its first cases, which nobody can have relied on being otherwise."""
    return f": {FIRST_CASES} (" in what or " instead of none;" in what


class DatesIn(Strict):
    """Other dates for a phase: at a time or now. extend: its end so many seconds later. At least one of them.

    why: shown to everybody. version: that of the challenge which the plan named; refused if another one came.
    """

    opens: AwareMoment | Literal["now"] | None = None
    closes: AwareMoment | Literal["now"] | None = None
    extend: Annotated[int, Field(strict=True, gt=0, le=MOST_SECONDS)] | None = None


class DatesApplyIn(DatesIn):
    """The same, to be done."""

    why: Why
    version: Annotated[str, Line(100)] | None = None


class DatesPlan(Answer):
    """What other dates would mean. Nothing has been changed.

    opens and closes: what they would be. sentences: what happens, for whoever decides. plan: as of a challenge file.
    """

    phase: str
    opens: datetime | None
    closes: datetime | None
    sentences: list[str]
    plan: Plan


class CheckState(StrEnum):
    """What a check found: nothing to do, something to know, or a reason not to go on."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class ReleaseCheck(Answer):
    """One line of the list that is gone through before a release. check: its name; found: a sentence for organizers."""

    check: str
    state: CheckState
    found: str


class ReleaseOut(Answer):
    """Whether a phase's leaderboard is final, and where it stands.

    hidden: whether everybody but organizers sees no leaderboard, or a frozen one. released_at: None where it is not
    released. take_back_until: until when it is taken back without a reason. awards: who wins what, if it is final now.
    audit: where a release was just made, the head of the audit chain then, which the amendment tells everybody.
    """

    challenge: str
    phase: str
    hidden: bool
    released_at: datetime | None
    take_back_until: datetime | None
    checks: list[ReleaseCheck]
    awards: list[str]
    audit: Annotated[HeadOut | None, Older(None)]


class ReleaseIn(Strict):
    """A release. force: also where it is not final, with a reason that everybody reads."""

    force: StrictBool = False
    why: Why | None = None


class TakeBackIn(Strict):
    """Taking a release back; a reason is needed once its minutes of grace are over."""

    why: Why | None = None


class LabelCommitmentOut(Answer):
    """A promise of what the labels of a task are: `digest` is sha256 of `salt` and `labels`, both written in hex.

    salt and labels: None until the leaderboard is released. labels: sha256 of the reference files, see the manual.
    in_force: whether these are the labels that count now.
    """

    task: str
    digest: str
    at: datetime
    in_force: bool
    salt: str | None
    labels: str | None


class FrozenPlanOut(Answer):
    """What of the challenge file, and which cases, decide scores and ranks of a phase, as one digest.

    digest: as it was when the phase opened; at: since when. late: it was recorded only after that. now: as it is, the
    same unless amended. content: what the present digest is made of, None until the leaderboard is released.
    """

    digest: str
    at: datetime
    late: bool
    now: str
    content: dict[str, Any] | None


class CommitmentsOut(Answer):
    """What was fixed for a phase before anybody could know its results. plan: None until the phase opens."""

    phase: str
    plan: FrozenPlanOut | None
    labels: list[LabelCommitmentOut]
