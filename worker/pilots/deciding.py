"""How many pilot jobs the queue deserves, which of them are superfluous, and why; it asks nobody."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contract.queue import DemandOut
from worker.pilots.settings import PilotSettings
from worker.pilots.slurm import ClusterJob, JobPhase

_SETTLES = 300.0
"""Seconds beyond `until_idle` in which a job's slots have to be seen at the server, or it does nothing."""
_FAILED = 3


@dataclass(frozen=True)
class PilotDecision:
    """What is to be done: `wanted` jobs in all, so many of them new; `superfluous` wait, `idle` run and do nothing.

    `note`: why it is not what one might expect, if so.
    """

    wanted: int
    new: int
    superfluous: Sequence[int]
    idle: Sequence[int]
    note: str | None = None


def deserved(asked: DemandOut, settings: PilotSettings, most: int) -> int:
    """How many jobs work off what waits within the time that is wanted, with the slots that are there without them.

    A slot that has one case to run is enough for it, so there are never more slots than cases.
    """
    needed = min(asked.cases, math.ceil(asked.slot_seconds / settings.within)) - asked.slots
    return min(most, max(0, math.ceil(needed / settings.slots_each)))


def decide(
    asked: DemandOut,
    jobs: Sequence[ClusterJob],
    nodes: Collection[str],
    settings: PilotSettings,
    *,
    most: int,
    now: float,
) -> PilotDecision:
    """What follows from the queue and the jobs; `nodes`: those that have a slot at the server now.

    Jobs that run are left alone: they end by themselves once they are idle. One of a node without a slot is not
    idle but useless, and cancelled after a while.
    """
    wanted = deserved(asked, settings, most)
    waiting = [job for job in jobs if job.phase is JobPhase.WAITING]
    running = [job for job in jobs if job.phase is JobPhase.RUNNING]
    late = now - settings.until_idle - _SETTLES
    idle = [job.id for job in running if 0 < job.began < late and job.node not in nodes]
    useful = len(running) - len(idle)
    more = wanted - useful - len(waiting)
    # The youngest go first: the others are nearer to their turn.
    superfluous = [job.id for job in waiting[max(0, len(waiting) + more) :]] if more < 0 else []
    failed = [job for job in jobs if job.phase is JobPhase.FAILED]
    if more > 0 and len(failed) >= _FAILED and not useful:
        told = ", ".join(f"{job.id} {job.state}" for job in failed[-_FAILED:])
        why = f"The last pilots failed ({told}): none is submitted. See their logs, {settings.log}."
        return PilotDecision(wanted, 0, superfluous, idle, why)
    # Jobs that end still have their part of the bound: a job is never in the cluster beside `most` others.
    ending = sum(job.phase is JobPhase.ENDING for job in jobs)
    room = most - len(running) - len(waiting) - ending
    return PilotDecision(wanted, max(0, min(more, room)), superfluous, idle)
