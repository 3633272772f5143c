"""Whether a published interval is one that this code makes."""

import numpy as np

from evaluator.calibration._coverage import Coverage
from evaluator.calibration._observed import Like
from evaluator.metrics import DatasetMetric, MetricPlugin
from evaluator.metrics.intervals import Estimate, Pair
from evaluator.resampling import percentile_interval
from evaluator.scoring import MetricReport, Report, bound_metrics
from evaluator.spec import Challenge

_ROUNDING = 1e-6  # of the width
_TAIL = 200
"""One in so many simulated intervals may be as narrow, or as wide, as the published one."""
_BEYOND = 0.8  # of the width of that one, for the world is only like the data

_OTHER = (
    "the published interval, {low:.4g} to {high:.4g}, is not the one that this version makes of the report's own "
    "resamples, {again[0]:.4g} to {again[1]:.4g}"
)
_UNLIKE = "the published interval, {low:.4g} to {high:.4g}, is {what} than {count} of {of} simulated ones"


def difference_of(challenge: Challenge, report: Report, key: str, like: Like, found: Coverage) -> str | None:
    """How the published interval of a metric differs from what is made here, None where it does not.

    It is made again from the report where that holds all it takes, else its width is compared with the simulated ones.
    """
    metric, board = report.metrics[key], challenge.boards[report.board]
    if metric.low is None or metric.high is None:
        return None
    if like.world.seeds is None or not like.world.seeds.drawn:
        plugin = bound_metrics(board, challenge.tasks[board.task].kind)[key].plugin
        again = _again(plugin, metric, like.level)
        if again is not None:
            apart = max(abs(again[0] - metric.low), abs(again[1] - metric.high))
            same = apart <= _ROUNDING * max(again[1] - again[0], 1e-9)
            return None if same else _OTHER.format(low=metric.low, high=metric.high, again=again)
    return _unlike(metric.low, metric.high, np.array(found.widths))


def _again(plugin: MetricPlugin, metric: MetricReport, level: float) -> Pair | None:
    """The interval from what a report holds; None where it is made of the cases themselves."""
    finite = np.array([one for one in metric.replicates if one is not None])
    own = isinstance(plugin, DatasetMetric) and plugin.own_interval is not None
    if metric.value is None or len(finite) < 2 or own or plugin.interval.method == "groups":
        return None
    if metric.interval_method in (None, "percentile"):
        return percentile_interval(finite, level)
    if metric.influence is None or metric.interval_method == "exact":
        return None
    psi = np.array(metric.influence)
    estimate = Estimate(metric.value, finite, psi, len(psi), plugin.minimum, plugin.maximum)
    return plugin.interval.bounds(estimate, level).pair


def _unlike(low: float, high: float, widths: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str | None:
    ordered, width, tail = np.sort(widths), high - low, len(widths) // _TAIL
    if width < _BEYOND * ordered[tail]:
        what, count = "narrower", int((widths > width).sum())
    elif _BEYOND * width > ordered[-1 - tail]:
        what, count = "wider", int((widths < width).sum())
    else:
        return None
    return _UNLIKE.format(low=low, high=high, what=what, count=count, of=len(widths))
