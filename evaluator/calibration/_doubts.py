"""Why a simulation cannot tell whether a promise is kept: it draws from what was seen, and too little was."""

from collections.abc import Iterator, Sequence

import numpy as np

from evaluator.calibration._observed import ClassSizes, classes_of, scored_cases
from evaluator.comparison import Entrant
from evaluator.metrics import CaseMetric, NotScored
from evaluator.metrics.influence import of_mean
from evaluator.metrics.intervals import freedom
from evaluator.scoring import Report, bound_metrics
from evaluator.spec import Challenge

_LEAST = 10
"""Units, and degrees of freedom: of fewer nobody knows how what they move a value by is distributed."""
_MOST_OF_ONE = 0.25

_UNKNOWN = (
    "its report says of no subject how far it moves the value, as where a class has fewer than two cases"
)


def doubt_of(
    challenge: Challenge, report: Report, key: str, sizes: ClassSizes, *, resampled: bool = True
) -> str | None:
    """Why too few independent units decide about a metric that has a value, None where they are enough.

    resampled: whether the simulation draws from what was observed of single units. Where it does not, all of its
    distribution is known but how unequal subjects of several cases are, or sites.
    """
    return next(_doubts(challenge, report, key, sizes, resampled), None)


def doubts_of(
    challenge: Challenge, board: str, entrants: Sequence[Entrant], sizes: ClassSizes
) -> tuple[str, ...]:
    """The same of the places of a board: for each metric the first team's, and how many more have one."""
    found = []
    for key in challenge.boards[board].metrics:
        teams, first = [], ""
        for entrant in entrants:
            metric = entrant.metric(board, key)
            if metric is None or metric.value is None:
                continue
            doubt = doubt_of(challenge, entrant.reports[board], key, sizes)
            if doubt is not None:
                first = first or doubt
                teams.append(entrant.team)
        if teams:
            more = f" and {len(teams) - 1} more" if len(teams) > 1 else ""
            found.append(f"{key} of {board} ({teams[0]}{more}): {first}")
    return tuple(found)


def _doubts(
    challenge: Challenge, report: Report, key: str, sizes: ClassSizes, resampled: bool
) -> Iterator[str]:
    board = challenge.boards[report.board]
    bound = bound_metrics(board, challenge.tasks[board.task].kind)[key]
    classes = classes_of(challenge, report, bound)
    rarest = min(sizes.told(report, classes)[0]) if classes else _LEAST
    if rarest < _LEAST:
        yield f"its rarest class has {rarest} case{'s' * (rarest != 1)}"
    groups = [
        group.subjects
        for members in (report.extras.groups or {}).values()
        for group in members.values()
        if group.values.get(key) is not None
    ]
    moved = _moved(report, key)
    if isinstance(bound.plugin, CaseMetric) or bound.plugin.compares is None:
        if moved is None and (isinstance(bound.plugin, CaseMetric) or bound.plugin.influence is not None):
            yield _UNKNOWN
    elif min(groups, default=_LEAST) < _LEAST:
        yield f"its smallest group has {min(groups)} subject{'s' * (min(groups) != 1)}"
    if moved is not None and (resampled or len(moved) < scored_cases(report)):
        yield from _of_few(np.array(moved))


def _moved(report: Report, key: str) -> Sequence[float] | None:
    """ψ of each unit; of single cases also from their values."""
    moved = report.metrics[key].influence
    if moved is None and key in report.per_case:
        values = [np.nan if value is None else value for value in report.per_case[key]]
        try:
            found: list[float] = of_mean(values).tolist()
        except NotScored:
            return None
        return found
    return moved


def _of_few(moved: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Iterator[str]:
    squares = moved**2
    if not squares.sum() > 0:
        return
    share, degrees = float(squares.max() / squares.sum()), float(freedom(moved))
    if share > _MOST_OF_ONE:
        yield f"one of {len(moved)} subjects, or sites, makes {share:.0%} of its variance"
    if degrees < _LEAST:
        yield f"its variance is as uncertain as one of {degrees:.1f} degrees of freedom"
