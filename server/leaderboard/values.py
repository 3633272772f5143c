"""Values as they are read and shown."""

from typing import NamedTuple
from uuid import UUID

from contract.leaderboard import ValueOut
from server.evaluations.result_models import Score


class Measured(NamedTuple):
    """What a board reads of a `Score`: a tuple, for a large board has thousands and an entity each takes its time."""

    id: UUID
    board: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    interval_method: str | None
    reason: str | None
    note: str | None
    lacks: str | None
    per_case: list[float | None] | None = None


MEASURED = tuple(getattr(Score, name) for name in Measured._fields if name != "per_case")
"""The columns of it, in order, but for the values of single cases."""


def value_out(score: Score | Measured | None, rank: float | None, decimals: int) -> ValueOut:
    """A score with its rank, rounded to `decimals`."""
    if score is None:
        return ValueOut(
            value=None, low=None, high=None, rank=rank, interval_method=None, reason=None, note=None
        )
    return ValueOut(
        value=None if score.value is None else round(score.value, decimals),
        low=None if score.low is None else round(score.low, decimals),
        high=None if score.high is None else round(score.high, decimals),
        rank=rank,
        interval_method=score.interval_method,
        reason=score.reason,
        note=score.note,
    )
