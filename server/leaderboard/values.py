"""Values as they are shown, with what has to be said beside them."""

from contract.leaderboard import ValueOut
from server.evaluations.models import Score

OUTSIDE = (
    "The value lies outside its interval: resampling shifts this metric, so the interval says how much the "
    "value varies, not where it lies."
)
"""Said of a score that was stored without a sentence of its own."""

_ROUNDING = 1e-9  # a mean of ones may be 1 + 2e-16


def note_of(score: Score) -> str | None:
    """What is to be said of a score's interval; of a value outside its own there always is something."""
    if score.note is not None or score.value is None or score.low is None or score.high is None:
        return score.note
    return None if score.low - _ROUNDING <= score.value <= score.high + _ROUNDING else OUTSIDE


def value_out(score: Score | None, rank: float | None, decimals: int) -> ValueOut:
    """A score with its rank, rounded to `decimals`."""
    if score is None:
        return ValueOut(value=None, low=None, high=None, rank=rank, reason=None, note=None)
    value, low, high = (
        None if one is None else round(one, decimals) for one in (score.value, score.low, score.high)
    )
    return ValueOut(value=value, low=low, high=high, rank=rank, reason=score.reason, note=note_of(score))
