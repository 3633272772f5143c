"""What the queue tells admins: what waits in it, the slots that take from it, and when it will be empty."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from contract.answers import Answer, Id, Older, OrNewer
from contract.statuses import EvaluationStatus

LEAST_PRIORITY, USUAL_PRIORITY, MOST_PRIORITY = -1000, 0, 1000


class PriorityIn(BaseModel):
    """The place of an evaluation in the queue; only admins give one above 0."""

    priority: int = Field(strict=True, ge=LEAST_PRIORITY, le=MOST_PRIORITY)


class WaitingOut(Answer):
    """An evaluation that has cases to run; `priority`: 0 is usual, a higher one goes before all that have less.

    waits_for: what keeps its cases from being run; null where nothing but its turn does.
    """

    id: Id
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: Annotated[EvaluationStatus | str, OrNewer()]
    priority: int
    cases_left: int
    created_at: datetime
    waits_for: Annotated[str | None, Older(None)]


class SlotOut(Answer):
    """A slot of a run worker. `present`: it is let in and was seen in the last minute; memory in bytes.

    `state`: present, gone, being examined (it takes no work before its host has passed its checks), unfit (and
    `unfit` says why it takes no work), draining (it finishes what it holds and gets
    no more), drained (it holds nothing more), token revoked, or token replaced and not seen since. What it was leased
    and did not finish was handed back, abandoned (its lease ran out) or faulted; `warning`: what is strange about it;
    `paused_until`: it is leased nothing until then; `oldest`: since when it holds the oldest of its cases. `gpu_model`
    as its driver names it, `gpu_driver` and `gpu_cuda`: the driver's version and the newest CUDA that it takes.
    """

    name: str
    worker: str | None
    state: str
    present: bool
    seen_at: datetime
    unfit: str | None
    running: int
    oldest: datetime | None
    finished: int
    handed_back: int
    abandoned: int
    faulted: int
    paused_until: datetime | None
    draining_since: Annotated[datetime | None, Older(None)]
    warning: str | None
    evaluation: Id | None
    task: str | None
    cpus: float
    memory: int
    gpus: int
    gpu_memory: int
    gpu_model: str | None
    gpu_driver: Annotated[str | None, Older(None)]
    gpu_cuda: Annotated[str | None, Older(None)]
    runtimes: list[str]
    most: int
    invoke: bool


class DemandOut(Answer):
    """What waits or runs that a slot of a given kind could run.

    `slot_seconds`: what it takes of such slots, as the forecast measures; `slots`: present ones that take work and
    could run some of it, those of one worker left out if so asked.
    """

    evaluations: int
    cases: int
    slot_seconds: float
    slots: int


class TaskForecast(Answer):
    """What is left of one task in one phase; seconds per case are those for which one keeps a slot from the next.

    `measured`: from cases that have ended; else the challenge's limit for one case, which most stay far below.
    """

    challenge: str
    phase: str
    task: str
    evaluations: int
    cases: int
    seconds_per_case: float
    measured: bool
    slot_seconds: float
    nobody_offers: str | None


class PhaseForecast(Answer):
    """When the queue of a phase will be empty; null where a case needs what no slot offers."""

    challenge: str
    phase: str
    cases: int
    slot_seconds: float
    ends: datetime | None
    closes: datetime | None
    in_time: bool | None


class ForecastChange(Answer):
    """What would change the end of everything that waits, and by how many seconds (below 0: sooner; null: unknown)."""

    what: str
    seconds: float | None


class Forecast(Answer):
    """The whole forecast as of a moment. `note`: what stands in the way of any, if something does."""

    at: datetime
    slots: int
    note: str | None
    tasks: list[TaskForecast]
    phases: list[PhaseForecast]
    changes: list[ForecastChange]
