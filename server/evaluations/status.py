"""The only moves between the states of evaluations and of case runs, and what groups of states mean."""

from contract.statuses import ENDED, CaseStatus, EvaluationStatus

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

ACTIVE = tuple(status for status in _E if status not in ENDED)
"""States that hold an attempt in reserve; SCORED has spent it, every other state gives it back."""

NOT_KEPT = (_E.REJECTED, _E.CANCELLED)
"""States of an evaluation that will never be run or scored again: its image and outputs need not be kept."""

HAS_CASES = (_E.QUEUED, _E.RUNNING)
"""States of an evaluation that has cases to run."""

UNDER_WAY = (_C.WAITING, _C.RUNNING, _C.PARKED)
"""States of a case that will have a verdict if its evaluation goes on."""
