"""What is sent and answered for admins alone: people, teams, evaluations, run workers, and the data disk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, StrictBool

from contract.answers import Answer, Id, Older, OrNewer
from contract.intervals import BootstrapOut
from contract.statuses import CaseStatus, EvaluationStanding, EvaluationStatus
from contract.texts import Line

Item = TypeVar("Item", bound=BaseModel)


class Page(Answer, Generic[Item]):
    """One page of a list. `next` goes into `after` for the following one; null where nothing follows."""

    items: Sequence[Item]
    next: UUID | None


class TeamName(Answer):
    """A team somebody is in."""

    id: Id
    challenge: str
    name: str
    is_captain: bool


class PersonOut(Answer):
    """A person. `last_log_in`: when a session began; `last_seen`: that, or what they last changed.

    `closed_at`, `closed_why`: since when and why the account is closed, null while it is open.
    """

    id: Id
    email: str
    name: str
    is_admin: bool
    teams: list[TeamName]
    last_log_in: datetime | None
    last_seen: datetime | None
    closed_at: datetime | None
    closed_why: str | None
    created_at: datetime


class ClosingIn(BaseModel):
    """Why an account is closed, for the organizers' records; `workers`: run workers' tokens they made end too."""

    why: Annotated[str, Line(500, strip=True)] | None = None
    workers: bool = False


class EndedOut(Answer):
    """How many sessions, API tokens and run workers' tokens ended."""

    sessions: int
    tokens: int
    workers: int


class AdminIn(BaseModel):
    """Whether a person is an admin."""

    is_admin: StrictBool


class TeamMember(Answer):
    """A person in a team."""

    id: Id
    email: str
    name: str
    is_captain: bool


class TeamRow(Answer):
    """A team. `standing` says in a word or two how it stands; `spent` and `active`: attempts on all tasks together."""

    id: Id
    challenge: str
    name: str
    standing: str
    eligible: bool
    is_baseline: bool
    disclaimer: str | None
    disqualified: str | None
    members: list[TeamMember]
    submissions: int
    spent: int
    active: int
    created_at: datetime


class EvaluationRow(Answer):
    """A submission on one task. replaces: the evaluation beside which, or in whose place, a re-evaluation made it."""

    id: Id
    submission: Id
    challenge: str
    team: str
    phase: str
    track: str
    task: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    standing: Annotated[EvaluationStanding | str, OrNewer(), Older(EvaluationStanding.IN_FORCE)]
    replaces: Annotated[Id | None, Older(None)]
    reason_code: str | None
    created_at: datetime
    finished_at: datetime | None


class CaseShown(Answer):
    """One case of it. `name` is given where it is recorded who looks; `has_log`: its container wrote something."""

    case: str
    name: str | None
    status: Annotated[CaseStatus | str, OrNewer()]
    verdict: str | None
    message: str | None
    worker: str | None
    mode: str | None
    seconds: float | None
    peak_memory_bytes: int | None
    faults: int
    has_log: bool


class ScoreShown(Answer):
    """One metric of one board. lacks: what was not kept yet when it was scored, and how to get it."""

    board: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    interval_method: str | None
    reason: str | None
    note: str | None
    lacks: str | None


class EvaluationShown(EvaluationRow):
    """A submission on one task, with everything that explains what became of it.

    `reason` is what its team reads, `trouble` what the platform met, which is for admins alone.
    bootstraps: how the intervals of each board were made.
    """

    reason: str | None
    trouble: str | None
    submitted_by: str | None
    image: str
    image_bytes: int
    dataset: str
    spec: str
    evaluator: str | None
    priority: int
    started_at: datetime | None
    verdicts: dict[str, int]
    cases: list[CaseShown]
    scores: list[ScoreShown]
    bootstraps: dict[str, BootstrapOut]


class TotalOut(Answer):
    """How many cases or images were read, in how many files and bytes, and when first and last."""

    count: int
    files: int
    bytes: int
    first_at: datetime | None
    last_at: datetime | None


class WorkerRow(Answer):
    """A run worker's token without its secret; what its slots did together, and what was sent to it.

    A case that its slots did not finish was handed back, abandoned (its lease ran out), or faulted (the worker named a
    fault of the platform). `warnings`: slots that return too much of what they are leased, or hold it too long.
    `made_by`: the admin who made the token over HTTP. `draining_since`: it gets no new case; `retired_at`: it was put
    away; `old_token_until`: the token that it had before works until then too.
    """

    id: Id
    name: str
    created_at: datetime
    issued_at: datetime
    revoked_at: datetime | None
    made_by: Id | None
    draining_since: Annotated[datetime | None, Older(None)]
    retired_at: Annotated[datetime | None, Older(None)]
    old_token_until: Annotated[datetime | None, Older(None)]
    most_slots: int
    slots_present: int
    seen_at: datetime | None
    running: int
    finished: int
    handed_back: int
    abandoned: int
    faulted: int
    warnings: list[str]
    cases_read: TotalOut
    images_read: TotalOut


class TaskReadOut(TotalOut):
    """What a token has read of the cases of one task of one phase."""

    challenge: str
    phase: str
    task: str


class ReadOut(Answer):
    """A case or an image that a token has read, by its id."""

    subject: str
    id: Id
    files: int
    bytes: int
    first_at: datetime
    last_at: datetime


class WorkerReads(Answer):
    """What a token has read: by task, and every case and image, the first 10,000."""

    tasks: list[TaskReadOut]
    read: list[ReadOut]


class AnsweredOut(Answer):
    """An evaluation in which a token answered `cases` of `cases_of`: to be run again where it cannot be trusted.

    `boards`: those that its values are on, if it counts.
    """

    evaluation: Id
    submission: Id
    challenge: str
    team: str
    phase: str
    track: str
    task: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    standing: Annotated[EvaluationStanding | str, OrNewer(), Older(EvaluationStanding.IN_FORCE)]
    boards: Annotated[list[str], Older([])]
    cases: int
    cases_of: int
    first_at: datetime
    last_at: datetime


class RevokedOut(Answer):
    """What a revoked token held, now back in the queue, and the evaluations in which it answered cases."""

    put_back: int
    answered: list[AnsweredOut]


class TeamStorage(Answer):
    """Bytes that a team stores, its images, each layer once, and uploads as long as they will be; and may store."""

    id: Id
    team: str
    challenge: str
    images: int
    uploads: int
    allowed: int


class Disk(Answer):
    """The data disk in bytes: what is free and kept, what there is room for, what came in the last week."""

    free: int
    reserve: int
    for_uploads: int
    for_new_work: int
    for_results: int
    last_week: int


class Overview(Disk):
    """The disk, what lies on it by folder, and what each team stores, in bytes."""

    team_storage: int
    database: int
    folders: dict[str, int]
    teams: list[TeamStorage]
