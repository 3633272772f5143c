"""What stands behind a fairness value: groups, their sizes and intervals, and what chance alone would give."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric, NotScored
from evaluator.metrics.fairness import disparities, members_of
from evaluator.metrics.intervals import MetricInterval
from evaluator.resampling import is_drawn, percentile_interval, seed_of
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._intervals import UNDRAWN, dataset_interval, said_of
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._report import FairnessReport, GroupReport, MetricReport, VariableReport
from evaluator.scoring._values import BoundMetric, Job, Sample

_UNANSWERED = "No test case has a valid embedding, so there is nothing to compare between groups."
_SHUFFLES = 500
_LABEL_SHUFFLES = 200
_SAME = 1e-9

_Mask = npt.NDArray[np.bool_]


def group_reports(job: Job, tested: Tested, sample: Sample) -> dict[str, dict[str, GroupReport]]:
    """Every group of every variable, by their names."""
    enough = _enough(job)
    return {
        variable: {
            group: _group(job, tested, sample, members, enough[variable])
            for group, members in members_of(groups).items()
        }
        for variable, groups in tested.groups.items()
    }


def fairness_reports(job: Job, tested: Tested, sample: Sample) -> dict[str, FairnessReport]:
    """For each fairness metric of the board, what stands behind it."""
    return {
        key: _fairness(job, tested, sample, metric)
        for key, metric in job.metrics.items()
        if dataset_metric(metric.name, metric).compares is not None
    }


def withheld(
    job: Job, metrics: dict[str, MetricReport], reports: dict[str, FairnessReport], tested: Tested
) -> dict[str, MetricReport]:
    """`metrics` without fairness values that say nothing.

    These are all where no test case has an embedding, for groups that are all equally missing are not treated fairly,
    and those that the challenge does not rank because nothing was learnt.
    """
    kept = dict(metrics)
    for key, report in reports.items():
        if all(row is None for row in tested.rows):
            kept[key] = MetricReport(value=None, reason=_UNANSWERED)
            continue
        if report.uninformative and job.metrics[key].parameters.uninformative == "not_scored":
            reason = (
                f"Fairness counts only where {report.of} over all cases is better than chance, and it is not."
            )
            kept[key] = MetricReport(value=None, reason=reason)
    return kept


def joined_bounds(
    metric: BoundMetric, runs: Sequence[Tested], sample: Sample, moved: float = 0.0
) -> MetricInterval:
    """The interval of a fairness value, the mean over runs of the same test cases.

    A disparity is the largest difference of two groups. The differences of all pairs of a variable have simultaneous
    intervals: Bonferroni's level for the intervals of the groups, which are joined by MOVER (Zou and Donner, Statistics
    in Medicine 2008;27:1693). The largest ends bound the disparity, and fairness the means over variables and runs.

    Args:
        metric: compares groups, and is defined in one of them.
        runs: trained probes.
        sample: of the test cases.
        moved: what else than cases moves the value, as half the width of an interval; added as independent.
    """
    compared, parameters = dataset_metric(metric.name, metric).compared(metric.parameters)
    if not is_drawn(sample.counts):
        return MetricInterval(note=UNDRAWN)
    found = []
    for run in runs:
        data = run.data(metric)
        by_variable = [
            _disparity(compared, parameters, data, groups, sample) for groups in run.groups.values()
        ]
        known = [ends for ends in by_variable if ends is not None]
        if known:
            found.append(np.mean(known, axis=0))
    value, least, most = 1 - np.mean(found, axis=0)
    low, high = value - np.hypot(value - most, moved), value + np.hypot(least - value, moved)
    return MetricInterval(max(float(low), 0.0), min(float(high), 1.0), method="groups")


def _disparity(
    compared: DatasetMetric, parameters: Any, data: DatasetData, groups: Sequence[str | None], sample: Sample
) -> tuple[float, float, float] | None:
    """The disparity of a variable with the ends of its interval, None where no group has a value."""
    parts = [(_part(data, members), _sample_of(sample, members)) for members in members_of(groups).values()]
    known = [
        (value, part, drawn)
        for part, drawn in parts
        if (value := _value(compared, parameters, part)) is not None
    ]
    if len(known) < 2:
        return (0.0, 0.0, 0.0) if known else None
    level = 1 - (1 - sample.level) / math.comb(len(known), 2)
    ends = []
    for value, part, drawn in known:
        bounds = dataset_interval(compared, value, part, parameters, replace(drawn, level=level))[2]
        ends.append((value, *(bounds.pair or (compared.minimum, compared.maximum))))
    value, low, high = np.array(ends).T
    below, above = np.maximum(value - low, 0), np.maximum(high - value, 0)
    apart = value[:, None] - value
    nearest = apart - np.hypot(below[:, None], above)
    furthest = apart + np.hypot(above[:, None], below)
    np.fill_diagonal(furthest, 0)
    return float(np.ptp(value)), max(float(nearest.max()), 0.0), float(furthest.max())


def _sample_of(sample: Sample, members: _Mask) -> Sample:
    return replace(
        sample,
        counts=sample.counts[:, members],
        units=sample.units[members],
        subjects=sample.subjects[members],
    )


def _group(job: Job, tested: Tested, sample: Sample, members: _Mask, enough: int) -> GroupReport:
    values: dict[str, float | None] = {}
    bounds: dict[str, MetricInterval] = {}
    part = _sample_of(sample, members)
    for key, metric in job.metrics.items():
        compared, parameters = dataset_metric(key, metric).compared(metric.parameters)
        data = _part(tested.data(metric), members)
        value = values[key] = _value(compared, parameters, data)
        bounds[key] = (
            MetricInterval()
            if value is None
            else dataset_interval(compared, value, data, parameters, part)[2]
        )
    subjects = len(np.unique(part.subjects))
    notes = {key: said_of(value, bounds[key]) for key, value in values.items() if value is not None}
    return GroupReport(
        size=int(members.sum()),
        subjects=subjects,
        enough=subjects >= enough,
        values=values,
        intervals={key: found.pair for key, found in bounds.items()},
        interval_methods={key: found.method for key, found in bounds.items() if found.method is not None},
        interval_notes={key: note for key, note in notes.items() if note is not None},
    )


def _part(data: DatasetData, members: _Mask) -> DatasetData:
    return DatasetData(data.labels[members], data.scores[members])


def _value(metric: DatasetMetric, parameters: Any, data: DatasetData) -> float | None:
    try:
        return metric.score(data, parameters)
    except NotScored:
        return None


@dataclass(frozen=True)
class _Comparison:
    """What is compared between groups, on which cases."""

    metric: DatasetMetric
    parameters: Any
    data: DatasetData
    subjects: npt.NDArray[np.intp]
    digest: str

    def value(self, members: _Mask | None = None) -> float | None:
        """The metric of some cases, or of all; None where it is undefined."""
        return _value(
            self.metric, self.parameters, self.data if members is None else _part(self.data, members)
        )

    def size(self, members: _Mask) -> int:
        """How many subjects have a case among `members`."""
        return len(np.unique(self.subjects[members]))


def _fairness(job: Job, tested: Tested, sample: Sample, metric: BoundMetric) -> FairnessReport:
    compared, parameters = dataset_metric(metric.name, metric).compared(metric.parameters)
    data = tested.data(metric)
    this = _Comparison(compared, parameters, data, sample.subjects, job.manifest.digest)
    value, chance = this.value(), _chance(this)
    bounds, beats = MetricInterval(), False
    if value is not None:
        drawn, _, bounds = dataset_interval(compared, value, data, parameters, sample)
        unvarying = percentile_interval(drawn, sample.level) if is_drawn(sample.counts) else None
        beats = _beats(compared, bounds.pair or unvarying, chance)
    enough = _enough(job)
    return FairnessReport(
        of=metric.parameters.of,
        value=value,
        low=bounds.low,
        high=bounds.high,
        chance=chance,
        uninformative=not beats,
        variables={
            variable: _variable(this, variable, groups, enough[variable])
            for variable, groups in tested.groups.items()
        },
    )


def _enough(job: Job) -> dict[str, int]:
    return {group.variable: group.enough for group in job.board.groups}


def _beats(metric: DatasetMetric, bounds: tuple[float, float] | None, chance: float | None) -> bool:
    if bounds is None or chance is None:
        return False
    low, high = bounds
    return low > chance + _SAME if metric.direction == "higher" else high < chance - _SAME


def _chance(this: _Comparison) -> float | None:
    """The metric's mean over shuffles of the labels: what these scores earn without any relation to them."""
    stream = np.random.Generator(np.random.PCG64(seed_of(f"{this.digest} labels")))
    shuffles = (stream.permutation(this.data.labels) for _ in range(_LABEL_SHUFFLES))
    values = [
        _value(this.metric, this.parameters, DatasetData(labels, this.data.scores)) for labels in shuffles
    ]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _variable(this: _Comparison, variable: str, groups: Sequence[str | None], enough: int) -> VariableReport:
    members = members_of(groups)
    values = {group: this.value(cases) for group, cases in members.items()}
    known = {group: value for group, value in values.items() if value is not None}
    if not known:
        return VariableReport(enough=False)
    disparity = max(known.values()) - min(known.values())
    worst = (min if this.metric.direction == "higher" else max)(known, key=lambda group: known[group])
    seed = seed_of(f"{this.digest} groups {variable}")
    moved = _shuffled(this.subjects, this.data.labels, groups, list(members), seed)
    shuffled = disparities(this.metric, this.parameters, this.data, moved)
    shuffled = shuffled[np.isfinite(shuffled)]
    return VariableReport(
        disparity=disparity,
        expected=float(shuffled.mean()) if len(shuffled) else None,
        expected_high=float(np.quantile(shuffled, 0.95)) if len(shuffled) else None,
        p_value=float((1 + (shuffled >= disparity - _SAME).sum()) / (1 + len(shuffled))),
        worst=worst,
        worst_value=known[worst],
        enough=all(this.size(members[group]) >= enough for group in known),
    )


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
