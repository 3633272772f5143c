"""What the queue tells admins: what waits in it, and the slots that take from it."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from server.queue.slots import SlotState
from server.queue.waiting import Waiting


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
