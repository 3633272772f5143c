"""When waiting cases will have run: slots that take cases in turn, as the queue deals them, on paper.

It knows no image loads and no faults, and its teams start as if nobody had used a slot lately.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from contract.ids import EvaluationId, TeamId

_PIECES = 20_000
"""Cases are dealt one by one up to this many, and in equal bundles beyond."""


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


def ends(work: Sequence[Work], slots: int) -> dict[EvaluationId, float]:
    """Seconds from now to the last verdict of each evaluation; one that no slot can run is left out.

    A slot that is free takes from the highest priority, there from the team that has had the least slot time.
    """
    bundle = max(1, math.ceil(sum(item.cases for item in work) / _PIECES))
    left = [item.cases for item in work]
    served: dict[TeamId, float] = defaultdict(float)
    queues = _queues(work)
    found: dict[EvaluationId, float] = {}
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
        found[one.evaluation] = max(end, found.get(one.evaluation, 0.0))
        heapq.heappush(free, (end, number))
    return found


_Queue = list[tuple[int, float, int]]


def _queues(work: Sequence[Work]) -> dict[frozenset[int], _Queue]:
    """A heap of (priority, what its team had, position) for all work that the same slots can run."""
    queues: dict[frozenset[int], _Queue] = defaultdict(list)
    for position, item in enumerate(work):
        queues[item.slots].append((-item.priority, 0.0, position))
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
