"""Worlds of metrics: families of data with one number that moves the metric, matched to the value that was observed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from evaluator.calibration._coverage import World
from evaluator.calibration._design import Design, Stream
from evaluator.calibration._worlds import (
    SkilledGroups,
    calls,
    correlated,
    normal_errors,
    softmax_rows,
    survived,
)
from evaluator.metrics import DATASETS, DatasetMetric, NotScored
from evaluator.metrics.survival import MATERIAL as SURVIVAL

_CASES = 20_000
"""As many are enough to match a world to a value."""
_STEPS = 20

ObservedGroups = Mapping[str, Mapping[str, tuple[float, float]]]
"""By variable and group the share of the cases and the value."""


@dataclass(frozen=True)
class Family:
    """Data of one number between `least` and `most`, with which the metric rises or falls throughout.

    told: what the data are, in a sentence's words. stratified: whether scoring draws them within classes.
    """

    drawn: Callable[[Stream, Design, float], Any]
    least: float
    most: float
    told: str
    stratified: bool = True


_BY_READS = {
    "binary": Family(calls, -5, 5, "normal scores of both classes"),
    "classes": Family(softmax_rows, -8, 8, "normal scores of each class, as a softmax"),
    "numbers": Family(correlated, -0.9999, 0.9999, "normal labels and predictions of the same spread", False),
}
_OF_ERRORS = Family(normal_errors, -6, 6, "normal errors", False)
_OF_TIMES = Family(survived, -5, 5, "log-normal times, of which a third are not seen to their end", False)


def _bold_calls(stream: Stream, design: Design, boldness: float) -> Any:
    return calls(stream, design, 1.19, 10**boldness)


def _bold_rows(stream: Stream, design: Design, boldness: float) -> Any:
    return softmax_rows(stream, design, 1.2, 1.2 * 10**boldness)


_CALIBRATION = {
    "calibration_error": Family(_bold_calls, 0, 2, "normal scores (AUROC 0.80) that are too sure"),
    "ovr_calibration_error": Family(_bold_rows, 0, 2, "a softmax of normal scores that is too sure"),
}
"""What an error of calibration moves with is how sure the probabilities are, not how well they tell classes apart."""

NOT_SIMULATED = {
    "points": "a report holds no points, and how often they are found at a threshold is not to be had from values",
    "foreign": "the metric is not built in, and there is no distribution of its data whose truth is known",
}
"""Why a metric has no world."""


def family_of(plugin: DatasetMetric) -> Family | str:
    """The family of a metric of whole datasets, or why there is none."""
    if plugin.name in _CALIBRATION:
        return _CALIBRATION[plugin.name]
    if plugin.material == SURVIVAL:
        return _OF_TIMES
    if plugin.material != DATASETS:
        return NOT_SIMULATED["points"]
    if plugin.reads is None:
        return NOT_SIMULATED["foreign"]
    if plugin.reads == "numbers" and plugin.direction == "lower":
        return _OF_ERRORS
    return _BY_READS[plugin.reads]


def matched(metric: str, family: Family, value: float, design: Design, given: dict[str, Any]) -> World:
    """The world of a family in which the metric has `value`, or as near as it comes."""
    at = _matching(metric, family, value, design, given)
    return World(metric, partial(_at, family.drawn, at), family.stratified, given)


def _matching(metric: str, family: Family, value: float, design: Design, given: dict[str, Any]) -> float:
    """The family's number by bisection, over the same random numbers."""

    def world(at: float) -> World:
        return World(metric, partial(_at, family.drawn, at), family.stratified, given)

    def truth(at: float) -> float:
        try:
            return world(at).truth(design, _CASES if metric != "concordance" else _CASES // 10)
        except NotScored:
            return math.nan

    low, high = family.least, family.most
    rising = truth(high) >= truth(low)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if (truth(middle) < value) == rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at(drawn: Callable[[Stream, Design, float], Any], at: float, stream: Stream, design: Design) -> Any:
    return drawn(stream, design, at)


def matched_groups(
    metric: DatasetMetric, given: dict[str, Any], value: float, groups: ObservedGroups, design: Design
) -> World | str:
    """The world of a comparison: groups as large as observed, and as far apart as gives the observed value."""
    compared, parameters = metric.compared(metric.parse(given))
    if family_of(compared) is not _BY_READS["classes"]:
        return f"what it compares, {compared.name}, is not of scores per class"
    known = [pair for members in groups.values() for pair in members.values()]
    if not known:
        return "its report says of no group how good it is"
    family, inner = _BY_READS["classes"], parameters.model_dump()

    def skill_of(value: float) -> float:
        return _matching(compared.name, family, value, design, inner)

    middle = skill_of(sum(share * value for share, value in known) / sum(share for share, _ in known))
    variables = tuple(
        (variable, tuple((name, share, skill_of(value) - middle) for name, (share, value) in members.items()))
        for variable, members in groups.items()
    )
    apart = Family(partial(_groups_apart, SkilledGroups(middle, variables)), 0, 2, "groups")
    return matched(metric.name, apart, value, design, given)


def _groups_apart(groups: SkilledGroups, stream: Stream, design: Design, scale: float) -> Any:
    return groups.scaled(scale)(stream, design)
