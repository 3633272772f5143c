"""Where an evaluation stands in the queue and when it may start, as its team is told: numbers only, nobody's name.

The queue is dealt on paper, as `outlook` does it. How long a case takes is measured on evaluations of the same task
that were scored lately, never on the one that is asked about, and estimates are rounded to a rough scale: whoever waits
learns little more of others' hidden cases than that slots get free.
"""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, text
from sqlalchemy.orm import Session, selectinload

from contract.ids import ChallengeId, EvaluationId, TeamId
from contract.statuses import EvaluationStanding, EvaluationStatus
from contract.submissions import QueuedOut
from server.evaluations.models import Evaluation
from server.evaluations.status import HAS_CASES
from server.evaluations.usage import HALF_LIFE
from server.evaluations.worker_models import WorkerSlot
from server.queue.outlook import Work, deal
from server.queue.slots import fits, present_slots

PLACES = "places_in_the_queue"
"""In a session's `info`: the `Places` of its process."""
LOOK_SECONDS, AGAIN_SECONDS = 15.0, 1.0
"""So old a look at the queue may be, and one that does not know what is asked for."""
_PIECES = 2_000
_LATELY = 20  # scored evaluations of a task on which it is measured how long a case takes
_BETWEEN = 1.0  # seconds that a slot needs between two cases, at least
_EITHER_WAY = 2.0  # by so much a measured time may be wrong
_UNMEASURED = 10.0  # most cases take less than their limit by so much, or more
_SCALE = (0, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 5760, 10080)
"""Minutes that an estimate is rounded to: what it says of others' seconds stays rough."""
_USAGE = text("""
SELECT team_id, seconds * 0.5 ^ least(greatest(extract(epoch FROM now() - as_of) / :half_life, 0), 100) FROM team_usage
""")
_MEASURED = text("""
SELECT challenge_id, task, sum(seconds) / sum(cases) FROM (
    SELECT challenge_id, task, seconds, (SELECT count(*) FROM case_runs WHERE evaluation_id = evaluations.id) AS cases,
        row_number() OVER (PARTITION BY challenge_id, task ORDER BY finished_at DESC) AS newest
    FROM evaluations
    WHERE status = 'scored' AND (challenge_id, task) IN (
        SELECT challenge_id, task FROM evaluations WHERE status IN ('queued', 'running')
    )
) AS ended WHERE newest <= :lately GROUP BY challenge_id, task HAVING sum(cases) > 0
""")


@dataclass
class Places:
    """What the queue looked like lately, for all threads of a process: one looks, the others take what is there."""

    _seen: Mapping[EvaluationId, QueuedOut] = field(default_factory=dict)
    _looked: float = float("-inf")
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def of(self, session: Session, evaluations: Collection[EvaluationId]) -> Mapping[EvaluationId, QueuedOut]:
        """The places of all evaluations that had cases to run, as a rule with these among them."""
        after = LOOK_SECONDS if all(found in self._seen for found in evaluations) else AGAIN_SECONDS
        if time.monotonic() - self._looked >= after and self._looking.acquire(blocking=False):
            try:
                self._seen, self._looked = places(session), time.monotonic()
            finally:
                self._looking.release()
        return self._seen


def places_of(session: Session, evaluations: Collection[EvaluationId]) -> Mapping[EvaluationId, QueuedOut]:
    """The places that this process knows, of these evaluations and others; as they are now if it remembers none."""
    known: Places | None = session.info.get(PLACES)
    return places(session) if known is None else known.of(session, evaluations)


def places(session: Session) -> Mapping[EvaluationId, QueuedOut]:
    """The place of each evaluation that has cases to run, as the queue is now; a handful of queries."""
    slots = present_slots(session)
    waiting = session.scalars(
        select(Evaluation)
        .where(Evaluation.status.in_(HAS_CASES), Evaluation.remaining > 0)
        .options(selectinload(Evaluation.spec_version))
        .order_by(Evaluation.created_at, Evaluation.id)
    ).all()
    measured = {
        (challenge, task): float(seconds)
        for challenge, task, seconds in session.execute(_MEASURED, {"lately": _LATELY})
    }
    had = {team: float(seconds) for team, seconds in session.execute(_USAGE, {"half_life": HALF_LIFE})}
    return _dealt(waiting, [_work(row, measured, slots) for row in waiting], len(slots), measured, had)


def _work(
    evaluation: Evaluation, measured: Mapping[tuple[ChallengeId, str], float], slots: Sequence[WorkerSlot]
) -> Work:
    limit = evaluation.spec_version.spec.limits_of(evaluation.task).seconds_per_case
    seconds = measured.get((evaluation.challenge_id, evaluation.task), limit) + _BETWEEN
    able = frozenset(number for number, slot in enumerate(slots) if fits(evaluation, slot))
    return Work(evaluation.id, evaluation.team_id, evaluation.remaining, seconds, able, evaluation.priority)


def _dealt(
    waiting: Sequence[Evaluation],
    work: Sequence[Work],
    slots: int,
    measured: Mapping[tuple[ChallengeId, str], float],
    had: Mapping[TeamId, float],
) -> dict[EvaluationId, QueuedOut]:
    rows = {row.id: row for row in waiting}
    order = deal(work, slots, had=had, pieces=_PIECES)
    found = {item.evaluation: _NOBODY for item in work if not item.slots}
    before, teams, sure = 0, set[TeamId](), True
    for evaluation, span in sorted(order.items(), key=lambda dealt: dealt[1].start):
        row = rows[evaluation]
        found[evaluation] = _queued(before, len(teams), span.start, sure=sure)
        sure = sure and (row.challenge_id, row.task) in measured
        if row.standing is not EvaluationStanding.BESIDE:  # nobody but organizers knows of those
            before += 1
            teams.add(row.team_id)
    return found


_NOBODY = QueuedOut(
    evaluations=0,
    teams=0,
    least_minutes=None,
    most_minutes=None,
    said="When it starts cannot be estimated: no worker that could run it takes work.",
)


def place(
    evaluation: Evaluation, known: Mapping[EvaluationId, QueuedOut], *, waits: bool = False
) -> QueuedOut | None:
    """What a team is told that sees its evaluation as queued; None of one that came after the last look.

    One that is not any more, which hidden phases show late, is the next all the time: how it goes on changes nothing.
    waits: no worker takes it now, which is newer than the last look.
    """
    if waits:
        return _NOBODY
    if evaluation.status is EvaluationStatus.QUEUED:
        found = known.get(evaluation.id)
        return None if found is _NOBODY else found
    return _queued(0, 0, 0.0, sure=True)


def _queued(evaluations: int, teams: int, seconds: float, *, sure: bool) -> QueuedOut:
    """sure: whether it is measured how long what goes first takes; else it is only known how long it may take."""
    minutes = seconds / 60
    least = minutes / (_EITHER_WAY if sure else _UNMEASURED)
    most = minutes * (_EITHER_WAY if sure else 1)
    low = max(step for step in _SCALE if step <= least)
    high = next((step for step in _SCALE if step >= max(most, 1)), _SCALE[-1])
    return QueuedOut(
        evaluations=evaluations,
        teams=teams,
        least_minutes=low,
        most_minutes=high,
        said=f"Waits: {_first(evaluations, teams)}; starts {_when(low, high)}.",
    )


def _first(evaluations: int, teams: int) -> str:
    if not evaluations:
        return "nothing goes before it"
    those = "1 evaluation" if evaluations == 1 else f"{evaluations:,} evaluations of {_teams(teams)}"
    return f"{those} before it"


def _teams(count: int) -> str:
    return "1 team" if count == 1 else f"{count:,} teams"


def _when(low: int, high: int) -> str:
    if not low:
        return f"within about {_span(high)}"
    if high >= _SCALE[-1]:
        return f"in {_span(low)} or more"
    same = (low >= 120) == (high >= 120)
    first = f"{low / 60:g}" if same and low >= 120 else f"{low}" if same else _span(low)
    return f"in about {first} to {_span(high)}"


def _span(minutes: int) -> str:
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
