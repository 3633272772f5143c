"""When waiting cases will have run: slots that take cases in turn, as the queue deals them, on paper.

It knows no image loads and no faults.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.ids import EvaluationId, TeamId

_PIECES = 20_000


@dataclass(frozen=True)
class Work:
    """Cases of one evaluation that have no verdict, and the slot seconds that one takes.

    `slots` are the positions of the slots that can run them; `priority` is the evaluation's.
    """

    evaluation: EvaluationId
    team: TeamId
    cases: int
    seconds: float
    slots: frozenset[int]
    priority: int = 0

    @property
    def slot_seconds(self) -> float:
        """What is left of it."""
        return self.cases * self.seconds


@dataclass(frozen=True)
class Span:
    """Seconds from now to the first lease of an evaluation and to its last verdict."""

    start: float
    end: float


def ends(work: Sequence[Work], slots: int) -> dict[EvaluationId, float]:
    """Seconds from now to the last verdict of each evaluation; one that no slot can run is left out."""
    return {evaluation: span.end for evaluation, span in deal(work, slots).items()}


def deal(
    work: Sequence[Work], slots: int, *, had: Mapping[TeamId, float] | None = None, pieces: int = _PIECES
) -> dict[EvaluationId, Span]:
    """When each evaluation begins and ends, in the order in which they begin; one that no slot can run is left out.

    A slot that is free takes from the highest priority, there from the team that has had the least slot time.

    Args:
        work: what waits.
        slots: how many slots there are.
        had: slot seconds that teams had before.
        pieces: cases are dealt one by one up to so many, and in equal bundles beyond.
    """
    bundle = max(1, math.ceil(sum(item.cases for item in work) / pieces))
    left = [item.cases for item in work]
    served = defaultdict[TeamId, float](float, had or {})
    queues = _queues(work, served)
    found: dict[EvaluationId, Span] = {}
    free = [(0.0, number) for number in range(slots)]
    while free:
        at, number = heapq.heappop(free)
        taken = _take(queues, number, work, left, served)
        if taken is None:
            continue  # nothing is left that this slot can run, and nothing will come
        one, count = work[taken], min(bundle, left[taken])
        left[taken] -= count
        served[one.team] += count * one.seconds
        end = at + count * one.seconds
        before = found.get(one.evaluation, Span(at, end))
        found[one.evaluation] = Span(before.start, max(end, before.end))
        heapq.heappush(free, (end, number))
    return found


_Queue = list[tuple[int, float, int]]


def _queues(work: Sequence[Work], served: Mapping[TeamId, float]) -> dict[frozenset[int], _Queue]:
    """A heap of (priority, what its team had, position) for all work that the same slots can run."""
    queues: dict[frozenset[int], _Queue] = defaultdict(list)
    for position, item in enumerate(work):
        queues[item.slots].append((-item.priority, served.get(item.team, 0.0), position))
    for queue in queues.values():
        heapq.heapify(queue)
    return queues


def _take(
    queues: dict[frozenset[int], _Queue],
    slot: int,
    work: Sequence[Work],
    left: Sequence[int],
    served: dict[TeamId, float],
) -> int | None:
    """The position of the work that comes first for a slot; None if there is none."""
    own = [queue for slots, queue in queues.items() if slot in slots]
    for queue in own:
        _settle(queue, work, left, served)
    first = min((queue[0] for queue in own if queue), default=None)
    return None if first is None else first[2]


def _settle(queue: _Queue, work: Sequence[Work], left: Sequence[int], served: dict[TeamId, float]) -> None:
    """Brings a heap's first entry up to date: what a team had only grows, so the others are no better than noted."""
    while queue:
        order, noted, position = queue[0]
        had = served[work[position].team]
        if not left[position]:
            heapq.heappop(queue)
        elif noted < had:
            heapq.heapreplace(queue, (order, had, position))
        else:
            return
