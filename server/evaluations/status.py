"""The states of evaluations and case runs, and the only moves between them."""

from enum import StrEnum


class EvaluationStatus(StrEnum):
    """Where an evaluation stands."""

    QUEUED = "queued"  # no case has been leased yet
    RUNNING = "running"  # some case runs or has run
    SCORING = "scoring"  # every case is done; a score worker takes it next
    SCORED = "scored"  # has a report; the only state that spends an attempt, while its cases are in force
    REJECTED = "rejected"  # ended by the participant's fault
    ERRORED = "errored"  # ended by the platform's fault; an admin may have it retried
    CANCELLED = "cancelled"  # withdrawn by its team or an admin


class CaseStatus(StrEnum):
    """Where a case run stands."""

    WAITING = "waiting"  # in the queue
    RUNNING = "running"  # leased to a run worker
    PARKED = "parked"  # met a fault of the platform; back in the queue after a pause
    DONE = "done"  # has a verdict
    DROPPED = "dropped"  # its evaluation ended before it ran


_E, _C = EvaluationStatus, CaseStatus

EVALUATION_MOVES: dict[EvaluationStatus, frozenset[EvaluationStatus]] = {
    _E.QUEUED: frozenset({_E.RUNNING, _E.REJECTED, _E.ERRORED, _E.CANCELLED}),
    _E.RUNNING: frozenset({_E.SCORING, _E.REJECTED, _E.ERRORED, _E.CANCELLED}),
    _E.SCORING: frozenset({_E.SCORED, _E.REJECTED, _E.ERRORED, _E.CANCELLED}),
    _E.SCORED: frozenset(),
    _E.REJECTED: frozenset(),
    _E.ERRORED: frozenset({_E.QUEUED, _E.RUNNING, _E.SCORING}),  # only where an admin has it retried
    _E.CANCELLED: frozenset(),
}

CASE_MOVES: dict[CaseStatus, frozenset[CaseStatus]] = {
    _C.WAITING: frozenset({_C.RUNNING, _C.DROPPED}),
    _C.RUNNING: frozenset({_C.DONE, _C.WAITING, _C.PARKED, _C.DROPPED}),
    _C.PARKED: frozenset({_C.WAITING, _C.DROPPED}),
    _C.DONE: frozenset({_C.WAITING}),  # only where a container kept for several cases is no longer believed
    _C.DROPPED: frozenset({_C.WAITING}),  # only with an evaluation that is retried
}

ACTIVE = (_E.QUEUED, _E.RUNNING, _E.SCORING)
"""States that hold an attempt in reserve; SCORED has spent it, every other state gives it back."""

NOT_KEPT = (_E.REJECTED.value, _E.CANCELLED.value)
"""States of an evaluation that will never be run or scored again: its image and outputs need not be kept."""

UNDER_WAY = (_C.WAITING, _C.RUNNING, _C.PARKED)
"""States of a case that will have a verdict if its evaluation goes on."""


class IllegalMove(Exception):  # noqa: N818 - names what happened
    """A move that the tables above do not hold: a defect of ours, never a user's."""
