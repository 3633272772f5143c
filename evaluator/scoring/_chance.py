"""What chance alone would give: of a metric, and of differences between groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric, NotScored
from evaluator.metrics.fairness import disparities, members_of
from evaluator.metrics.weighted import mean_of_finite
from evaluator.resampling import seed_of
from evaluator.scoring._report import VariableReport

SAME = 1e-9
"""How far apart two values are that count as equal."""
_SHUFFLES = 500
_LABEL_SHUFFLES = 200

_Mask = npt.NDArray[np.bool_]


def part_of(data: DatasetData, members: _Mask) -> DatasetData:
    """The labels and scores of some cases."""
    return DatasetData(data.labels[members], data.scores[members])


def value_of(metric: DatasetMetric, parameters: Any, data: DatasetData) -> float | None:
    """The metric, None where it is undefined."""
    try:
        return metric.score(data, parameters)
    except NotScored:
        return None


@dataclass(frozen=True)
class GroupContrast:
    """What is compared between groups, on which cases. data: of each probe whose mean is the value."""

    metric: DatasetMetric
    parameters: Any
    data: Sequence[DatasetData]
    subjects: npt.NDArray[np.intp]
    digest: str

    def values(self, members: _Mask) -> list[float | None]:
        """The metric of some cases, by probe."""
        return [value_of(self.metric, self.parameters, part_of(data, members)) for data in self.data]

    def size(self, members: _Mask) -> int:
        """How many subjects have a case among `members`."""
        return len(np.unique(self.subjects[members]))

    def chance(self) -> float | None:
        """The metric's mean over shuffles of the labels: what these scores earn without any relation to them."""
        stream = np.random.Generator(np.random.PCG64(seed_of(f"{self.digest} labels")))
        found = []
        for number in range(max(_LABEL_SHUFFLES, len(self.data))):
            data = self.data[number % len(self.data)]
            shuffled = DatasetData(stream.permutation(data.labels), data.scores)
            found.append(value_of(self.metric, self.parameters, shuffled))
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None


def variable_report(
    this: GroupContrast, variable: str, groups: Sequence[str | None], enough: int
) -> VariableReport:
    """The differences of a variable's groups, and what shuffling the groups among subjects of a class gives."""
    members = members_of(groups)
    values = {group: this.values(cases) for group, cases in members.items()}
    found = {group: _mean(by_probe) for group, by_probe in values.items()}
    known = {group: value for group, value in found.items() if value is not None}
    if not known:
        return VariableReport(enough=False)
    disparity = _mean([_largest(by_group) for by_group in zip(*values.values(), strict=True)])
    worst = (min if this.metric.direction == "higher" else max)(known, key=lambda group: known[group])
    seed = seed_of(f"{this.digest} groups {variable}")
    moved = _shuffled(this.subjects, this.data[0].labels, groups, list(members), seed)
    by_chance = np.array([disparities(this.metric, this.parameters, data, moved) for data in this.data])
    shuffled = mean_of_finite(by_chance)
    shuffled = shuffled[np.isfinite(shuffled)]
    return VariableReport(
        disparity=disparity,
        expected=float(shuffled.mean()) if len(shuffled) else None,
        expected_high=float(np.quantile(shuffled, 0.95)) if len(shuffled) else None,
        p_value=float((1 + (shuffled >= (disparity or 0) - SAME).sum()) / (1 + len(shuffled))),
        worst=worst,
        worst_value=known[worst],
        enough=all(this.size(members[group]) >= enough for group in known),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _largest(values: Sequence[float | None]) -> float | None:
    """The largest difference between groups, None where no group has a value."""
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else None


def _shuffled(
    units: npt.NDArray[np.intp],
    labels: npt.NDArray[Any],
    groups: Sequence[str | None],
    names: Sequence[str],
    seed: int,
) -> list[npt.NDArray[np.float64]]:
    """Per group, its members in each shuffle as 0 and 1, shape (shuffles, cases).

    Subjects change places with subjects that have as many cases of the same classes, so every group keeps its
    number of cases of each class. The cases of a subject carry the groups of the other's cases, in order; a
    case without a group stays out.
    """
    number = np.array([-1 if group is None else names.index(group) for group in groups])
    kinds: dict[tuple[Any, ...], list[npt.NDArray[np.intp]]] = {}
    for unit in range(int(units.max(initial=-1)) + 1):
        cases = np.flatnonzero((units == unit) & (number >= 0))
        cases = cases[np.argsort(labels[cases], kind="stable")]
        if len(cases):
            kinds.setdefault(tuple(labels[cases].tolist()), []).append(cases)
    stream = np.random.Generator(np.random.PCG64(seed))
    moved = np.full((_SHUFFLES, len(number)), -1)
    for members in kinds.values():
        block = np.array(members)  # (subjects, cases of each)
        orders = stream.permuted(np.tile(np.arange(len(block)), (_SHUFFLES, 1)), axis=1)
        moved[:, block] = number[block][orders]
    return [(moved == group).astype(np.float64) for group in range(len(names))]
