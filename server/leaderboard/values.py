"""Values as they are shown."""

from contract.leaderboard import ValueOut
from server.evaluations.result_models import Score


def value_out(score: Score | None, rank: float | None, decimals: int) -> ValueOut:
    """A score with its rank, rounded to `decimals`."""
    if score is None:
        return ValueOut(
            value=None, low=None, high=None, rank=rank, interval_method=None, reason=None, note=None
        )
    value, low, high = (
        None if number is None else round(number, decimals) for number in (score.value, score.low, score.high)
    )
    return ValueOut.of(score, value=value, low=low, high=high, rank=rank)
