"""What a calibration says of the intervals and places of a page."""

from collections.abc import Iterator, Mapping, Sequence

from evaluator.calibration import CalibrationFile, by_metric
from evaluator.comparison import Entrant
from evaluator.interval_methods import CALLED
from evaluator.ranking import RankingError, rule_digest
from evaluator.report._parts import title_of
from evaluator.spec import Board, Challenge


def refuse_other(
    calibration: CalibrationFile, challenge: Challenge, entrants: Mapping[str, Sequence[Entrant]]
) -> None:
    """Whether a calibration is of these reports.

    Raises:
        RankingError: the calibration is of another challenge file or of other reports.
    """
    if calibration.rule != rule_digest(challenge.ranking, challenge.boards):
        raise RankingError("the calibration was made under another ranking rule; run calibrate again")
    published = {
        (track, entrant.team, board, key): metric.value
        for track, entered in entrants.items()
        for entrant in entered
        for board, report in entrant.reports.items()
        for key, metric in report.metrics.items()
    }
    for row in calibration.intervals:
        if published.get((row.track, row.team, row.board, row.metric)) != row.value:
            raise RankingError(
                f"the calibration is of other reports: {row.metric} of {row.board} by {row.team} was {row.value:.6g}; "
                "run calibrate again"
            )


def intervals_covered(calibration: CalibrationFile, track: str, name: str, board: Board) -> Iterator[str]:
    """What was covered of each metric of a board, in sentences."""
    mine = [row for row in calibration.intervals if (row.track, row.board) == (track, name)]
    for pooled, rows in by_metric(mine):
        short = ", ".join(row.team for row in rows if row.verdict == "short")
        yield (
            f"{title_of(board, rows[0].metric)}, {CALLED[rows[0].way]}: of intervals that say {pooled.level:.0%}, "
            f"{pooled.covered:.1%} ± {pooled.error:.1%} held the truth in simulation"
            + (f"; fewer than that says of {short}." if short else ".")
        )
        if pooled.doubts:
            yield f"Too few independent cases decide for a simulation to tell; {_first_of(pooled.doubts)}."
        if pooled.differs:
            yield f"What was published is not what was simulated; {_first_of(pooled.differs)}."
        if absent := sum(row.without for row in rows) / sum(row.datasets for row in rows):
            yield f"{absent:.1%} of the simulated datasets had no interval and are not part of it."
    for one in calibration.unchecked:
        if (one.track, one.board) == (track, name) and one.metric is not None:
            reason = one.reason.removesuffix(".")
            yield f"{title_of(board, one.metric)}, not simulated for {', '.join(one.teams)}: {reason}."


def _first_of(sentences: Sequence[str]) -> str:
    return sentences[0] + (f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else "")


def places_covered(calibration: CalibrationFile, track: str) -> Iterator[str]:
    """What was covered of the places over all boards, in sentences."""
    for row in calibration.places:
        if (row.track, row.board) == (track, None):
            says = "which promises nothing" if row.level is None else f"which says {row.level:.0%}"
            yield (
                f"Simulated with teams {row.distance}: {row.promise}, {says}, held in {row.covered:.1%} ± "
                f"{row.error:.1%}."
                + (
                    f" Too few independent cases decide for a simulation to tell; {_first_of(row.doubts)}."
                    if row.doubts
                    else ""
                )
            )
    for one in calibration.unchecked:
        if (one.track, one.board, one.metric) == (track, None, None):
            yield f"Places, not simulated: {one.reason.removesuffix('.')}."
