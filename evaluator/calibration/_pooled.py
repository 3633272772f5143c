"""Coverages of one metric over all teams."""

from collections.abc import Sequence

from evaluator.calibration._coverage import share_error
from evaluator.calibration._published import IntervalCoverage, Promised

Pooled = tuple[Promised, Sequence[IntervalCoverage]]


def by_metric(intervals: Sequence[IntervalCoverage]) -> Sequence[Pooled]:
    """What is of one metric and made in one way: over all teams, and team by team."""
    found: dict[tuple[str, str, str, str, float | None], list[IntervalCoverage]] = {}
    for one in intervals:
        found.setdefault((one.track, one.board, one.metric, one.way, one.level), []).append(one)
    pooled: list[Pooled] = []
    for rows in found.values():
        made = sum(row.datasets - row.without for row in rows)
        covered = sum(row.covered * (row.datasets - row.without) for row in rows) / made
        promised = Promised(
            level=rows[0].level,
            covered=covered,
            error=share_error(covered * made, made),
            doubts=tuple(f"{row.team}: {doubt}" for row in rows for doubt in row.doubts),
            differs=tuple(f"{row.team}: {other}" for row in rows for other in row.differs),
        )
        pooled.append((promised, rows))
    return pooled
