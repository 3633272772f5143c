"""What stands behind a fairness value: groups, their sizes and intervals, and what chance alone would give."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluator.metrics import DatasetData, DatasetMetric
from evaluator.metrics.fairness import members_of
from evaluator.metrics.intervals import MetricInterval
from evaluator.resampling import is_drawn, percentile_interval
from evaluator.scoring._chance import SAME, GroupContrast, part_of, value_of, variable_report
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._intervals import dataset_interval, mean_interval, said_of, undrawn, with_sites
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._probe_seeds import Runs
from evaluator.scoring._report import FairnessReport, GroupReport, MetricReport
from evaluator.scoring._values import BoundMetric, Job, Sample

_UNANSWERED = "No test case has a valid embedding, so there is nothing to compare between groups."

_Mask = npt.NDArray[np.bool_]
_Values = npt.NDArray[np.float64]


def group_reports(job: Job, runs: Runs) -> dict[str, dict[str, GroupReport]]:
    """Every group of every variable, by their names."""
    enough = _enough(job)
    return {
        variable: {
            group: _group(job, runs, variable, group, enough[variable]) for group in members_of(groups)
        }
        for variable, groups in runs.scored[0].groups.items()
    }


def fairness_reports(job: Job, runs: Runs) -> dict[str, FairnessReport]:
    """For each fairness metric of the board, what stands behind it."""
    return {
        key: _fairness(job, runs, metric)
        for key, metric in job.metrics.items()
        if dataset_metric(metric.name, metric).compares is not None
    }


def withheld(
    job: Job, metrics: dict[str, MetricReport], reports: dict[str, FairnessReport], runs: Runs
) -> dict[str, MetricReport]:
    """`metrics` without fairness values that say nothing.

    These are all where no test case has an embedding, for groups that are all equally missing are not treated fairly,
    and those that the challenge does not rank because nothing was learnt.
    """
    kept = dict(metrics)
    for key, report in reports.items():
        if all(row is None for run in runs.scored for row in run.rows):
            kept[key] = MetricReport(value=None, reason=_UNANSWERED)
            continue
        if report.uninformative and job.metrics[key].parameters.uninformative == "not_scored":
            what = _called(job.metrics[key])
            reason = f"Fairness counts only where {what} over all cases is better than chance, and it is not."
            kept[key] = MetricReport(value=None, reason=reason)
    return kept


def _called(metric: BoundMetric) -> str:
    """What people call the metric that a fairness metric compares."""
    compared, _ = dataset_metric(metric.name, metric).compared(metric.parameters)
    return compared.title or compared.name


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
        return undrawn(sample)
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
    return with_sites(MetricInterval(max(float(low), 0.0), min(float(high), 1.0), method="groups"), sample)


def _disparity(
    compared: DatasetMetric, parameters: Any, data: DatasetData, groups: Sequence[str | None], sample: Sample
) -> tuple[float, float, float] | None:
    """The disparity of a variable with the ends of its interval, None where no group has a value."""
    parts = [(part_of(data, members), _sample_of(sample, members)) for members in members_of(groups).values()]
    known = [
        (value, part, drawn)
        for part, drawn in parts
        if (value := value_of(compared, parameters, part)) is not None
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
    """The members alone. Classes are not told apart: a group says what it can, however few of a class it has."""
    return replace(
        sample,
        counts=sample.counts[:, members],
        units=sample.units[members],
        classes=np.zeros_like(sample.classes[members]),
        subjects=sample.subjects[members],
    )


def _group(job: Job, runs: Runs, variable: str, group: str, enough: int) -> GroupReport:
    values: dict[str, float | None] = {}
    bounds: dict[str, MetricInterval] = {}
    members = members_of(runs.scored[0].groups[variable])[group]
    part = _sample_of(runs.sample, members)
    for key, metric in job.metrics.items():
        compared, parameters = dataset_metric(key, metric).compared(metric.parameters)

        def data_of(run: Tested, metric: BoundMetric = metric) -> DatasetData:
            return part_of(run.data(metric), np.array([own == group for own in run.groups[variable]]))

        values[key], _, bounds[key] = _mean(compared, parameters, runs, part, data_of)
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


def _mean(
    metric: DatasetMetric,
    parameters: Any,
    runs: Runs,
    sample: Sample,
    data_of: Callable[[Tested], DatasetData],
) -> tuple[float | None, _Values | None, MetricInterval]:
    """Value, replicates and interval of a compared metric, its mean over the scored probes, on some of their cases."""

    def value(run: Tested) -> float | None:
        data = data_of(run)
        return value_of(metric, parameters, data) if len(data.labels) else None

    known = [(run, found) for run in runs.scored if (found := value(run)) is not None]
    if not known:
        return None, None, MetricInterval()
    mean = float(np.mean([found for _, found in known]))
    data = [data_of(run) for run, _ in known]
    drawn, _, bounds = mean_interval(metric, mean, data, parameters, sample)
    return mean, drawn, bounds.with_more(mean, runs.moved(value), metric.minimum, metric.maximum)


def _fairness(job: Job, runs: Runs, metric: BoundMetric) -> FairnessReport:
    compared, parameters = dataset_metric(metric.name, metric).compared(metric.parameters)
    sample = runs.sample
    data = [run.data(metric) for run in runs.scored]
    this = GroupContrast(compared, parameters, data, sample.subjects, job.manifest.digest)
    chance = this.chance()
    value, drawn, bounds = _mean(compared, parameters, runs, sample, lambda run: run.data(metric))
    unvarying = (
        None if drawn is None or not is_drawn(sample.counts) else percentile_interval(drawn, sample.level)
    )
    enough = _enough(job)
    return FairnessReport(
        of=metric.parameters.of,
        value=value,
        low=bounds.low,
        high=bounds.high,
        chance=chance,
        uninformative=not _beats(compared, bounds.pair or unvarying, chance),
        variables={
            variable: variable_report(this, variable, groups, enough[variable])
            for variable, groups in runs.scored[0].groups.items()
        },
    )


def _enough(job: Job) -> dict[str, int]:
    return {group.variable: group.enough for group in job.board.groups}


def _beats(metric: DatasetMetric, bounds: tuple[float, float] | None, chance: float | None) -> bool:
    if bounds is None or chance is None:
        return False
    low, high = bounds
    return low > chance + SAME if metric.direction == "higher" else high < chance - SAME
