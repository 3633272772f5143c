"""What organizers decide about teams, attempts and entries, as it is sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contract.answers import Answer, Id, Older, OrNewer
from contract.bounds import Strict
from contract.changes import Shifts
from contract.ids import TeamId
from contract.statuses import EvaluationStanding, EvaluationStatus
from contract.submissions import Digest, QuotaOut
from contract.texts import Line, Name

Reason = Annotated[str, Line(500, least=1, strip=True)]
"""Why somebody decides; the event log keeps it, and those whom it concerns may read it."""


class Decision(StrEnum):
    """What is decided about a team."""

    DISQUALIFY = "disqualify"
    REINSTATE = "reinstate"
    INELIGIBLE = "ineligible"  # ranked, and wins no prize
    ELIGIBLE = "eligible"
    BASELINE = "baseline"  # shown without a rank
    ENTRANT = "entrant"  # no baseline any more
    HIDE = "hide"
    SHOW = "show"
    APPROVE = "approve"
    RENAME = "rename"
    MERGE = "merge"


class ActIn(Strict):
    """Why, and with `seen` only if the boards are as the plan with this digest showed them."""

    why: Reason
    seen: Digest | None = None


class DecisionIn(ActIn):
    """A decision about a team.

    disclaimer: with "ineligible", what boards say of it. name: with "rename". into: with "merge", the team that gets
    all that this one has. counts: with "merge", whose evaluations stay on the boards where both have some on the same
    phase, track and task.
    """

    decision: Decision
    name: Annotated[str, Line(200)] | None = None
    disclaimer: Annotated[str, Line(500, strip=True)] | None = None
    into: TeamId | None = None
    counts: Literal["this", "into"] | None = None


class ActPlan(Answer):
    """What an act would change: in `sentences`, for boards in `shifts`; `told`: what members of the team read."""

    sentences: list[str]
    told: list[str]
    shifts: Shifts


class Grant(ActIn):
    """Attempts more, or with a number below 0 fewer, of a team on one task, track and phase."""

    phase: Name
    track: Name
    task: Name
    valid: Annotated[int, Field(strict=True, ge=-1000, le=1000)]


class GrantIn(Grant):
    """A grant as it is sent."""


class LedgerEntry(Answer):
    """An evaluation and its attempt: "spent", "held", "given back" or "none". `because`: why it stands so."""

    evaluation: Id
    submission: Id
    phase: str
    track: str
    task: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    standing: Annotated[EvaluationStanding | str, OrNewer()]
    attempt: str
    because: str
    created_at: datetime


class GrantRow(Answer):
    """Attempts that were granted, by whom and why; `granted_by_name`: what the person is called."""

    phase: str
    track: str
    task: str
    valid: int
    why: str
    granted_by: str
    granted_by_name: Annotated[str | None, Older(None)]
    created_at: datetime


class Ledger(Answer):
    """A team's attempts: what is left of each kind, every grant, and the newest evaluations, newest first.

    more: whether there are older ones; `before` with the last one's id asks for them.
    """

    team: str
    quotas: list[QuotaOut]
    grants: list[GrantRow]
    entries: list[LedgerEntry]
    more: bool
