"""How evenly a metric treats the groups of each variable."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics._errors import NotScored
from evaluator.metrics._plugin import DatasetData, DatasetMetric, MetricPlugin, Parameters, Values
from evaluator.metrics.weighted import mean_of_finite
from evaluator.resampling import Counts

INTERVAL_NOTE = (
    "The interval joins those of all differences between groups, so it is wide rather than too short; the value itself "
    "lies too low by what chance adds to differences."
)


class GroupComparison(Parameters):
    """of: the per-dataset metric, between 0 and 1, that is compared between groups.

    uninformative: what becomes of fairness where the interval of `of` over all cases does not beat chance, as
    with a constant embedding, whose groups are all equally bad: "ranked" like any other, or "not_scored".
    """

    of: str
    uninformative: Literal["ranked", "not_scored"] = "ranked"


def fairness(values: Mapping[str, Mapping[str, float | None]]) -> float:
    """Mean over variables of 1 − (max − min over groups of the metric).

    A group whose value is None is left out. A variable with one group left has no disparity and counts 1; a
    variable with none left is left out. Read the result with the group sizes: small groups differ by chance.

    Args:
        values: per variable, the metric of each group.

    Raises:
        NotScored: no variable has a group with a value.
    """
    scores = []
    for groups in values.values():
        known = [value for value in groups.values() if value is not None]
        if known:
            scores.append(1.0 - (max(known) - min(known)))
    if not scores:
        raise NotScored("the metric is undefined in every group")
    return math.fsum(scores) / len(scores)


@dataclass(frozen=True)
class BetweenGroups:
    """What the row of a comparison consists of; `lookup` finds the compared metric by its name."""

    lookup: Callable[[str], MetricPlugin]

    def compared(self, parameters: GroupComparison) -> tuple[DatasetMetric, Any]:
        """The metric that is compared between groups, and its parameters.

        Raises:
            ValueError: it is not one of whole datasets from 0 to 1.
            evaluator.metrics.registry.UnknownMetric: there is none.
        """
        metric = self.lookup(parameters.of)
        if not isinstance(metric, DatasetMetric) or metric.minimum < 0 or metric.maximum > 1:
            raise ValueError(
                f"fairness compares per-dataset metrics from 0 to 1, and {parameters.of} is none"
            )
        return metric, metric.parse({})

    def value(self, data: DatasetData, parameters: GroupComparison) -> float:
        """`fairness` of the groups of each variable."""
        metric, inner = self.compared(parameters)
        values: dict[str, dict[str, float | None]] = {}
        for variable, groups in data.groups.items():
            values[variable] = {}
            for name, members in members_of(groups).items():
                try:
                    part = DatasetData(data.labels[members], data.scores[members])
                    values[variable][name] = metric.score(part, inner)
                except NotScored:
                    values[variable][name] = None
        return fairness(values)

    def replacement(self, label: float, classes: int, parameters: GroupComparison) -> Sequence[float]:
        """A missing output counts as it does for the compared metric."""
        metric, inner = self.compared(parameters)
        return metric.replacement(label, classes, inner)

    def weighted(self, data: DatasetData, counts: Counts, parameters: GroupComparison) -> Values:
        """Mean over variables of 1 − disparity; variables without a value left out."""
        metric, inner = self.compared(parameters)
        values = [
            1
            - disparities(metric, inner, data, [counts * members for members in members_of(groups).values()])
            for groups in data.groups.values()
            if any(group is not None for group in groups)  # a variable nobody has a value of compares nothing
        ]
        return mean_of_finite(np.array(values)) if values else np.full(len(counts), np.nan)


def members_of(groups: Sequence[str | None]) -> dict[str, NDArray[np.bool_]]:
    """Per group, in the order of names, which cases belong to it, shape (cases,)."""
    names = sorted({group for group in groups if group is not None})
    return {name: np.array([group == name for group in groups], dtype=bool) for name in names}


def disparities(
    metric: DatasetMetric, parameters: Any, data: DatasetData, counts_by_group: Sequence[Counts]
) -> Values:
    """Largest minus smallest value of the metric over groups, per row of counts; NaN where no group has one.

    Each group has counts of shape (rows, cases) that are 0 outside the group.
    """
    rows = len(counts_by_group[0]) if counts_by_group else 0
    highest, lowest = np.full(rows, -np.inf), np.full(rows, np.inf)
    for counts in counts_by_group:
        used = counts.any(axis=0)
        part = DatasetData(data.labels[used], data.scores[used])
        values = metric.replicates(part, counts[:, used], parameters)
        highest, lowest = np.fmax(highest, values), np.fmin(lowest, values)
    with np.errstate(invalid="ignore"):
        return np.where(highest >= lowest, highest - lowest, np.nan)
