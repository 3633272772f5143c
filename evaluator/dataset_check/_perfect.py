"""The perfect submission, made of the references and put through scoring itself."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.dataset_check._finding import Finding, error, warning
from evaluator.manifest import Manifest, ManifestError
from evaluator.metrics import MetricPlugin
from evaluator.metrics.registry import lookup
from evaluator.scoring import ReadOutput, Report, ScoringError, score_outputs
from evaluator.spec import Board, Challenge, Files, Kind

_RESAMPLES = 20
_ROUNDING = 1e-6


def best(metric: MetricPlugin) -> float:
    """The best value that a metric declares."""
    return metric.maximum if metric.direction == "higher" else metric.minimum


def reaches(metric: MetricPlugin, value: float) -> bool:
    """Whether `value` is the best one, or the metric declares no bound."""
    return not math.isfinite(best(metric)) or abs(value - best(metric)) <= _ROUNDING


def never_defined(board: str, key: str, why: str, *, ranked: bool) -> Finding:
    """A metric has no value whatever is submitted."""
    message = (
        f"{key} of board {board} is never defined on these cases: {why}; add cases, or take it off the board"
    )
    return (error if ranked else warning)("never_defined", message)


def perfect_findings(spec: Challenge, board: str, report: Report, *, ranked: bool) -> Iterator[Finding]:
    """What the perfect submission did not get, from its report."""
    kind = spec.tasks[spec.boards[board].task].kind
    for key, score in report.metrics.items():
        if score.fault is not None:
            yield error("metric", f"board {board}: {score.reason}; mend the metric")
        elif score.value is None:
            yield never_defined(board, key, (score.reason or "").removesuffix("."), ranked=ranked)
        elif is_reached(kind, kind.chosen(spec.boards[board].metrics[key].parameters)):
            metric = lookup(spec.boards[board].metrics[key].metric)
            if not reaches(metric, score.value):
                message = (
                    f"the best possible submission gets {score.value:.6g} instead of {best(metric):g} for {key} of "
                    f"board {board}, as where a class has no case; look whether that is meant"
                )
                yield warning("not_perfect", message)


def is_reached(kind: Kind, chosen: Any) -> bool:
    """Whether labels of a kind say what gets the best value of a metric, from what that chose."""
    return not isinstance(kind.labels, Files) or kind.labels.reached is None or kind.labels.reached(chosen)


def scored(
    spec: Challenge, board: str, manifest: Manifest, references: Path, read: ReadOutput
) -> Report | Finding:
    """The report of these outputs with few resamples and no further seeds, or why there is none."""
    try:
        return score_outputs(light(spec, board), board, manifest, references, read)
    except (ScoringError, ManifestError) as problem:
        return error("scoring", f"board {board} cannot be scored: {problem}")


def scored_alone(
    spec: Challenge, board: str, manifest: Manifest, references: Path, read: ReadOutput
) -> Iterator[Finding]:
    """What stands in the way of scoring these outputs; values are not looked at."""
    report = scored(spec, board, manifest, references, read)
    if isinstance(report, Finding):
        yield report
        return
    for score in report.metrics.values():
        if score.fault is not None:
            yield error("metric", f"board {board}: {score.reason}; mend the metric")


def light(spec: Challenge, *boards: str) -> Challenge:
    """The challenge with few resamples and no further seeds on these boards: values are those of the probe's seed."""
    return spec.model_copy(
        update={"boards": {**spec.boards, **{name: _light(spec.boards[name]) for name in boards}}}
    )


def _light(board: Board) -> Board:
    bootstrap = board.bootstrap.model_copy(update={"resamples": min(board.bootstrap.resamples, _RESAMPLES)})
    probe = board.probe and board.probe.model_copy(update={"seeds": (board.probe.seed,)})
    return board.model_copy(update={"bootstrap": bootstrap, "probe": probe})
