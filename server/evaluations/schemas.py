"""What of evaluations leaves the server in more than one way."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from server.evaluations.errors import Failed
from server.evaluations.slots import SlotState
from server.evaluations.waiting import Waiting


class WaitingOut(BaseModel):
    """An evaluation that has cases to run; `priority`: 0 is usual, a higher one goes before all that have less."""

    id: UUID
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: str
    priority: int
    cases_left: int
    created_at: datetime

    @classmethod
    def of(cls, one: Waiting) -> Self:
        """The same with its names."""
        evaluation = one.evaluation
        return cls(
            id=evaluation.id,
            challenge=one.challenge,
            phase=evaluation.phase,
            track=evaluation.track,
            task=evaluation.task,
            team=one.team,
            status=evaluation.status,
            priority=evaluation.priority,
            cases_left=evaluation.remaining,
            created_at=evaluation.created_at,
        )


_BEGINS_LATE = "Its image met faults in earlier evaluations, so its first cases begin after a pause."


class FailedOut(BaseModel):
    """An evaluation that met faults of the platform.

    `code` and `reason`: why it ended as errored, else the last fault and the worker's or the scorer's words for it.
    `cases_done` have a verdict, which a retry keeps; `cases_parked` wait for a pause to end. `since`: its first fault
    since it was last retried; `ended_at`: null while it goes on.
    """

    id: UUID
    challenge: str
    phase: str
    track: str
    task: str
    team: str
    status: str
    code: str | None
    reason: str | None
    cases: int
    cases_done: int
    cases_parked: int
    image: str
    worker: str | None
    since: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Failed) -> Self:
        """The same with its names."""
        evaluation, last = one.evaluation, one.last
        told = last.detail if last is not None else _BEGINS_LATE if one.parked else None
        return cls(
            id=evaluation.id,
            challenge=one.challenge,
            phase=evaluation.phase,
            track=evaluation.track,
            task=evaluation.task,
            team=one.team,
            status=evaluation.status,
            code=evaluation.reason_code or (last.code if last is not None else None),
            reason=evaluation.trouble or told,
            cases=one.total,
            cases_done=one.done,
            cases_parked=one.parked,
            image=evaluation.image.digest,
            worker=last.worker if last is not None else None,
            since=one.since,
            ended_at=evaluation.finished_at,
        )


class ErrorsOut(BaseModel):
    """What the platform failed at: evaluations that ended as errored, and those with cases that are parked."""

    errored: list[FailedOut]
    parked: list[FailedOut]


class SlotOut(BaseModel):
    """A slot of a run worker. `present`: it is let in and was seen in the last minute; memory in bytes.

    `state`: present, gone, unfit (and `unfit` says why it takes no work), token revoked, or token replaced and not
    seen since. What it was leased and did not finish was handed back, abandoned (its lease ran out) or faulted;
    `warning`: what is strange about it; `paused_until`: it is leased nothing until then; `oldest`: since when it holds
    the oldest of its cases.
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
    warning: str | None
    evaluation: UUID | None
    task: str | None
    cpus: float
    memory: int
    gpus: int
    gpu_memory: int
    runtimes: list[str]
    most: int
    invoke: bool

    @classmethod
    def of(cls, one: SlotState) -> Self:
        """The same for programs."""
        slot, evaluation = one.slot, one.evaluation
        return cls(
            name=slot.name,
            worker=one.worker,
            state=one.state,
            present=one.present,
            seen_at=slot.seen_at,
            unfit=slot.unfit,
            running=one.running,
            oldest=one.oldest,
            finished=slot.finished,
            handed_back=slot.handed_back,
            abandoned=slot.abandoned,
            faulted=slot.faulted,
            paused_until=slot.paused_until,
            warning=one.warning,
            evaluation=evaluation.id if evaluation else None,
            task=evaluation.task if evaluation else None,
            cpus=slot.cpus,
            memory=slot.memory,
            gpus=slot.gpus,
            gpu_memory=slot.gpu_memory,
            runtimes=slot.runtimes,
            most=slot.most,
            invoke=slot.invoke,
        )
