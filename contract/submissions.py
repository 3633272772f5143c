"""What is sent and answered of submissions and attempts."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from contract.answers import Answer, Id, Older, OrNewer
from contract.bounds import Few
from contract.ids import TeamId
from contract.intervals import BootstrapOut
from contract.statuses import ENDED, EvaluationStatus
from contract.texts import Name

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]

MOST_TASKS = 50
"""Tasks that one submission may name."""


class SourceIn(BaseModel):
    """The git commit that an image was made of, in its team's words; `clean`: no file differed, null if unknown."""

    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$", max_length=64)]
    clean: Annotated[bool, Field(strict=True)] | None = None


class SubmissionIn(BaseModel):
    """An image per task. `team` may be left out by a user with one team in the challenge."""

    team: TeamId | None = None
    track: Name
    phase: Name
    images: Annotated[dict[Name, Digest], Few(MOST_TASKS, least=1)]
    source: SourceIn | None = None


class ScoreOut(Answer):
    """A metric's value with its interval, or the reason why there is none.

    title: what the board calls the metric. interval_method: how the interval was made. note: what is to be said of it.
    """

    title: Annotated[str | None, Older(None)]
    value: float | None
    low: float | None
    high: float | None
    interval_method: Annotated[str | None, Older(None)]
    reason: str | None
    note: Annotated[str | None, Older(None)]


class QueuedOut(Answer):
    """What goes before an evaluation in the queue, and within how many minutes it may start; null: not estimated."""

    evaluations: int
    teams: int
    least_minutes: int | None
    most_minutes: int | None
    said: str


class EvaluationOut(Answer):
    """What a participant may know of an evaluation.

    `progress` counts tenths. `failure`: the commonest class of failure of one that was rejected. `verdicts` counts
    cases per verdict. On hidden phases progress moves in quarters, starts and ends are shown on a grid of moments, and
    verdicts are counted for scored evaluations alone. bootstraps: how the intervals of each board were made. voided:
    why the organizers took it off the boards, null where they did not. queue: where it stands, while it is queued.
    """

    id: Id
    task: str
    image: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    reason_code: str | None
    reason: str | None
    failure: Annotated[str | None, Older(None)]
    cases: int
    progress: int
    note: str | None
    verdicts: dict[str, int]
    scores: dict[str, dict[str, ScoreOut]]
    bootstraps: Annotated[dict[str, BootstrapOut], Older({})]
    voided: Annotated[str | None, Older(None)]
    queue: Annotated[QueuedOut | None, Older(None)]
    created_at: datetime
    finished_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


class SourceOut(Answer):
    """The git commit that a team says its images were made of, and whether no file differed from it; null: unknown."""

    commit: str
    clean: bool | None


class SubmissionOut(Answer):
    """A submission and its evaluations; of `hidden` cases what happens shows late and in steps."""

    id: Id
    challenge: str
    team: Id
    track: str
    phase: str
    hidden: Annotated[bool, Older(False)]
    source: Annotated[SourceOut | None, Older(None)]
    created_at: datetime
    evaluations: list[EvaluationOut]

    @property
    def ended(self) -> bool:
        """Whether every evaluation has ended."""
        return all(evaluation.ended for evaluation in self.evaluations)


class GrantOut(Answer):
    """Attempts that the organizers gave a team, or below 0 took, and why."""

    valid: int
    why: str
    created_at: datetime


class AttemptMove(Answer):
    """A move of an attempt: "reserved", "spent", "given back" or "granted", why, and what it leaves.

    `change` is of the attempts that are left, `balance` what they are after it, null without a limit; where tasks or
    tracks share attempts, of all that do. `at`: null where it is not on record when. evaluation, submission: null for
    what was granted.
    """

    at: datetime | None
    kind: str
    change: int
    balance: int | None
    why: str
    phase: str
    track: str
    task: str
    evaluation: Id | None
    submission: Id | None


class AttemptMovesOut(Answer):
    """The newest moves of a team's attempts, newest first. more: whether there are older ones."""

    moves: list[AttemptMove]
    more: bool


class QuotaOut(Answer):
    """Valid attempts of a team on one task, track and phase; `valid` None means without limit, `grants` are in it.

    `rejected` of at most `rejected_per_week` (None: without limit) were rejected in the last seven days, or cancelled
    after they began, on this task and phase whatever the track. `rejected_left` leaves out what is under way, which may
    be rejected yet; where it is 0, `rejected_next_at` is when the oldest of them is a week old.
    """

    task: str
    track: str
    phase: str
    valid: int | None
    spent: int
    reserved: int
    left: int | None
    rejected_per_week: Annotated[int | None, Older(None)]
    rejected: Annotated[int, Older(0)]
    rejected_left: Annotated[int | None, Older(None)]
    rejected_next_at: Annotated[datetime | None, Older(None)]
    grants: Annotated[list[GrantOut], Older([])]
