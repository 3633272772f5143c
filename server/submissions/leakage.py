"""How many bits of hidden inputs a team can carry out of a phase: an upper bound, channel by channel.

An image may turn its inputs into anything that its team sees afterwards. Each channel is reckoned as the logarithm of
all that it could show, as if nothing disturbed it and every answer were as likely; what really gets through is less.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, log2

from evaluator.spec import Challenge as Spec
from evaluator.verdicts import CLASSES
from server.evaluations.ticks import step_seconds
from server.submissions.views import QUARTERS

_REASONS = 2 * len(CLASSES) + 2
"""A class with its first cases or with cases in a row; too much time; a run that is none as a whole."""
_SCORE = 3
"""Numbers of each metric: its value and both ends of its interval."""


@dataclass(frozen=True)
class Channel:
    """What one kind of evaluation shows by one thing.

    `kind`: what became of the evaluation; `per_season`: evaluations of this kind that a team may have on a task, None
    without limit.
    """

    kind: str
    what: str
    bits: float
    per_season: int | None

    @property
    def season(self) -> float | None:
        """Bits of a team and task in a season; None without limit."""
        return None if self.per_season is None else self.bits * self.per_season


def moments(longest: float) -> int:
    """Moments at which something can be seen to happen until `longest` seconds after a submission."""
    count, at = 0, 0
    while at < longest:
        at += step_seconds(at)
        count += 1
    return count


def channels(
    spec: Spec, phase: str, task: str, *, weeks: int, cases: int, longest: float = 86_400.0
) -> Iterator[Channel]:
    """Every channel of a hidden phase to one team on one task.

    weeks: of the season. cases: of the task. longest: seconds from a submission to its end.
    """
    found, seen = spec.phases[phase], moments(longest)
    attempts = found.attempts
    failed = None if attempts.rejected_per_week is None else attempts.rejected_per_week * weeks
    # Quarters are reached one after the other, and some perhaps never: QUARTERS - 1 moments in order, with repetition.
    progress = log2(comb(seen + QUARTERS - 1, QUARTERS - 1))
    yield Channel(
        "rejected or cancelled", "class of the commonest failure, and what ended it", log2(_REASONS), failed
    )
    yield Channel("rejected or cancelled", "the moment at which it began", log2(seen), failed)
    yield Channel("rejected or cancelled", "the moment at which it ended", log2(seen), failed)
    yield Channel("rejected or cancelled", "the moments of its progress", progress, failed)
    yield Channel("rejected or cancelled", "whether it had ended when it was cancelled", 1.0, failed)
    times = 2 * log2(seen) + progress
    yield Channel("scored", "the same moments", times, attempts.valid)
    counts = log2(comb(cases + len(CLASSES), len(CLASSES)))
    yield Channel("scored", "counts of its verdicts", counts, attempts.valid)
    numbers = _SCORE * sum(len(board.metrics) for board in spec.boards_of(task).values())
    yield Channel(
        "scored", "scores and their intervals", numbers * log2(10**found.decimals + 1), attempts.valid
    )
