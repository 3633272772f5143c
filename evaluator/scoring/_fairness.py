"""What stands behind a fairness value: groups, their sizes and intervals, and what chance alone would give."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric, NotScored
from evaluator.metrics.fairness import disparities, members_of
from evaluator.resampling import seed_of
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._intervals import MetricInterval, bounds_of, exact_of, said_of
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


def _group(job: Job, tested: Tested, sample: Sample, members: _Mask, enough: int) -> GroupReport:
    values: dict[str, float | None] = {}
    bounds: dict[str, MetricInterval] = {}
    part = replace(sample, counts=sample.counts[:, members], units=sample.units[members])
    for key, metric in job.metrics.items():
        compared, parameters = dataset_metric(key, metric).compared(metric.parameters)
        data = _part(tested.data(metric), members)
        values[key] = _value(compared, parameters, data)
        drawn = compared.replicates(data, part.counts, parameters)
        known = values[key] is not None
        bounds[key] = (
            bounds_of(drawn, part, exact_of(compared, data, part.units)) if known else MetricInterval()
        )
    subjects = len(np.unique(part.units))
    notes = {key: said_of(value, bounds[key]) for key, value in values.items() if value is not None}
    return GroupReport(
        size=int(members.sum()),
        subjects=subjects,
        enough=subjects >= enough,
        values=values,
        intervals={key: interval.pair for key, interval in bounds.items()},
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
    units: npt.NDArray[np.intp]
    digest: str

    def value(self, members: _Mask | None = None) -> float | None:
        """The metric of some cases, or of all; None where it is undefined."""
        return _value(
            self.metric, self.parameters, self.data if members is None else _part(self.data, members)
        )

    def subjects(self, members: _Mask) -> int:
        """How many resampling units have a case among `members`."""
        return len(np.unique(self.units[members]))


def _fairness(job: Job, tested: Tested, sample: Sample, metric: BoundMetric) -> FairnessReport:
    compared, parameters = dataset_metric(metric.name, metric).compared(metric.parameters)
    data = tested.data(metric)
    this = _Comparison(compared, parameters, data, sample.units, job.manifest.digest)
    drawn = compared.replicates(data, sample.counts, parameters)
    bounds = bounds_of(drawn, sample, exact_of(compared, data, sample.units))
    chance = _chance(this)
    enough = _enough(job)
    return FairnessReport(
        of=metric.parameters.of,
        value=this.value(),
        low=bounds.low,
        high=bounds.high,
        chance=chance,
        uninformative=not _beats(compared, bounds.pair or sample.interval(drawn), chance),
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
    moved = _shuffled(this.units, this.data.labels, groups, list(members), seed)
    shuffled = disparities(this.metric, this.parameters, this.data, moved)
    shuffled = shuffled[np.isfinite(shuffled)]
    return VariableReport(
        disparity=disparity,
        expected=float(shuffled.mean()) if len(shuffled) else None,
        expected_high=float(np.quantile(shuffled, 0.95)) if len(shuffled) else None,
        p_value=float((1 + (shuffled >= disparity - _SAME).sum()) / (1 + len(shuffled))),
        worst=worst,
        worst_value=known[worst],
        enough=all(this.subjects(members[group]) >= enough for group in known),
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
