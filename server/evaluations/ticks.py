"""When its team comes to see what happened to an evaluation of a hidden phase: on a grid of moments, not at once.

How long a container runs is its own choice, and so a way to carry hidden data out. The grid has steps of 15 s at first
and an eighth of the time since the submission later, so a moment tells few bits however long an evaluation takes, and
nobody waits much longer for a result than for what led to it. All steps are 15 s doubled some times and begin with the
clock: what came earlier is never shown later.
"""

import math
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, case, func, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from contract.statuses import ENDED
from evaluator.spec import Challenge as Spec
from server.evaluations.models import Evaluation

TICK_SECONDS = 15
LONGEST_SECONDS = 480
"""Nobody waits longer than that for the sight of what is there."""
_FINE = 8 * TICK_SECONDS
AT_ONCE = "shows_at_once"
"""In a session's `info`: ends are not held back, only told on the grid."""

_Moment = ColumnElement[datetime] | InstrumentedAttribute[datetime | None] | InstrumentedAttribute[datetime]


def step_seconds(elapsed: float) -> int:
    """The grid's step so long after the submission."""
    doubled = math.floor(math.log2(max(elapsed, _FINE) / _FINE))
    return min(TICK_SECONDS << doubled, LONGEST_SECONDS)


def shown_at(began: datetime, event: datetime) -> datetime:
    """The moment from which on `event` is shown, and as which; `began` is when the evaluation was submitted."""
    step = step_seconds((event - began).total_seconds())
    return datetime.fromtimestamp(math.ceil(event.timestamp() / step) * step, UTC)


def is_shown(
    session: Session,
    event: _Moment,
    *,
    began: _Moment = Evaluation.created_at,
    at: ColumnElement[datetime] | None = None,
) -> ColumnElement[bool]:
    """Whether `event`, of a row joined with its evaluation, is shown by now, or `at`; in SQL, as `shown_at` has it."""
    if session.info.get(AT_ONCE):
        return true() if at is None else event <= at
    elapsed = func.extract("epoch", event - began)
    steps = [(elapsed < 2 * _FINE * 2**n, TICK_SECONDS * 2**n) for n in range(_doublings())]
    step = case(*steps, else_=LONGEST_SECONDS)
    late = func.ceil(func.extract("epoch", event) / step) * step
    return func.to_timestamp(late) <= (func.now() if at is None else at)


def _doublings() -> int:
    return (LONGEST_SECONDS // TICK_SECONDS).bit_length() - 1


def unseen_end(session: Session, spec: Spec) -> ColumnElement[bool]:
    """Whether an evaluation ended in one of the hidden phases of `spec` and its team does not see it yet.

    One that its team withdrew, too: that it was withdrawn would tell that it had not ended.
    """
    hidden = [name for name, phase in spec.phases.items() if phase.hidden]
    unseen = ~is_shown(session, Evaluation.finished_at)
    return and_(Evaluation.phase.in_(hidden), Evaluation.status.in_(ENDED), unseen)
