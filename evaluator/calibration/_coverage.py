"""How often the intervals of simulated datasets hold their truth."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evaluator.calibration._design import Design, Labels, Stream
from evaluator.metrics import CaseMetric, DatasetData, DatasetMetric, NotScored
from evaluator.metrics.influence import of_mean
from evaluator.metrics.intervals import MetricInterval
from evaluator.metrics.registry import lookup
from evaluator.metrics.resampled import auroc_replicates
from evaluator.metrics.weighted import weighted_mean
from evaluator.resampling import percentile_interval
from evaluator.scoring import (
    BoundMetric,
    Runs,
    Sample,
    Tested,
    dataset_interval,
    exact_of,
    influence_of,
    interval_of,
    joined_bounds,
)

SHARED = 50
"""Datasets that are resampled by the same draws, as those of one digest are."""
_ENOUGH = 400_000
_PAIRS = 20_000  # cases, of a metric of all pairs, whose time grows with their square


@dataclass(frozen=True)
class ProbeSeeds:
    """Seeds of a probe, each of which moves the value by a normal error of its own, whatever the cases.

    count: of seeds. spread: the standard deviation. mean: whether the value is the mean over them, or that of one.
    drawn: whether the interval is to hold what they add.
    """

    count: int
    spread: float
    mean: bool
    drawn: bool


@dataclass(frozen=True)
class World:
    """A metric and a distribution of data: drawn(stream, design) is a DatasetData, or the values of single cases.

    stratified: whether cases are drawn within classes. given: the metric's parameters. seeds: where it is of a probe
    that has several.
    """

    metric: str
    drawn: Callable[[Stream, Design], Any]
    stratified: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)
    seeds: ProbeSeeds | None = None

    def truth(self, design: Design, enough: int = _ENOUGH) -> float:
        """The value of so many cases that no other matters.

        Raises:
            NotScored: the metric is undefined for them.
        """
        many = min(enough, _PAIRS) if self.metric == "concordance" else enough
        large = self.drawn(np.random.default_rng(7), design.enlarged(many))
        plugin = lookup(self.metric)
        if isinstance(plugin, CaseMetric):
            return float(np.mean(large))
        return plugin.score(large, plugin.parse(self.given))


@dataclass(frozen=True)
class Coverage:
    """Of `datasets`, how many had an interval that held the truth, and how many had none or no value.

    widths: of the intervals.
    """

    truth: float
    datasets: int
    held: int
    without: int
    widths: tuple[float, ...] = ()

    @property
    def share(self) -> float:
        """Of the datasets with an interval, in how many it holds the truth; NaN without any."""
        made = self.datasets - self.without
        return self.held / made if made else math.nan

    @property
    def error(self) -> float:
        """The standard error of `share`: Agresti and Coull's (1998), which is not 0 where all intervals hold."""
        return share_error(self.held, self.datasets - self.without)


def share_error(held: float, of: int) -> float:
    """The standard error of a share, of two more that hold and two that do not."""
    near = (held + 2) / (of + 4)
    return math.sqrt(near * (1 - near) / (of + 4))


def covered(
    world: World,
    design: Design,
    runs: int,
    seed: int | Sequence[int] = 1,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    percentile: bool = False,
) -> Coverage:
    """Makes intervals of `runs` datasets, rounded up to whole `SHARED`, by the code that makes the published ones.

    percentile: as they were made before each metric had its own way.
    """
    stream, truth, held, without = np.random.default_rng(seed), world.truth(design), 0, 0
    widths: list[float] = []
    blocks = -(-runs // SHARED)
    for _ in range(blocks):
        strata = (design.labels if world.stratified else np.zeros(len(design.subjects), np.intp)).tolist()
        sample = design.sample(stream, strata, resamples=resamples, level=level)
        found = [world.drawn(stream, design) for _ in range(SHARED)]
        for bounds in intervals(world, found, sample, stream, percentile=percentile):
            if bounds is None:
                without += 1
            else:
                widths.append(bounds[1] - bounds[0])
                held += bounds[0] - _slack(bounds) <= truth <= bounds[1] + _slack(bounds)
    return Coverage(truth, blocks * SHARED, held, without, tuple(widths))


def _slack(bounds: tuple[float, float]) -> float:
    return 1e-12 * max(abs(bounds[0]), abs(bounds[1]), 1e-300)


def intervals(
    world: World, found: Sequence[Any], sample: Sample, stream: Stream, *, percentile: bool = False
) -> Iterator[tuple[float, float] | None]:
    """The interval of each dataset, None where there is none; `stream` gives what seeds add."""
    plugin = lookup(world.metric)
    if isinstance(plugin, CaseMetric):
        for values in found:
            drawn = weighted_mean(values, sample.counts)
            if percentile:
                yield percentile_interval(drawn, sample.level)
            else:
                yield interval_of(plugin, float(values.mean()), drawn, sample, of_mean(values)).pair
        return
    parameters, together = plugin.parse(world.given), None
    if world.metric == "auroc":  # all at once, as it takes the longest
        together = auroc_replicates(found[0].labels, np.array([data.scores for data in found]), sample.counts)
    for number, data in enumerate(found):
        try:
            value = plugin.score(data, parameters)
        except NotScored:
            yield None
            continue
        if world.seeds is not None:
            yield _with_seeds(world.seeds, plugin, value, data, parameters, sample, stream).pair
            continue
        replicates = None if together is None else together[number]
        if percentile:
            drawn = plugin.replicates(data, sample.counts, parameters) if replicates is None else replicates
            yield percentile_interval(drawn, sample.level)
        else:
            yield _bounds(plugin, value, data, parameters, sample, replicates).pair


def _bounds(
    plugin: DatasetMetric, value: float, data: DatasetData, parameters: Any, sample: Sample, replicates: Any
) -> MetricInterval:
    if plugin.compares is not None:
        return groups_interval(plugin, parameters, data, sample)
    if replicates is None:
        return dataset_interval(plugin, value, data, parameters, sample)[2]
    moved = influence_of(plugin, data, parameters)
    exact = exact_of(plugin, data, sample.units)
    return interval_of(plugin, value, replicates, sample, moved, exact=exact)


def _with_seeds(
    seeds: ProbeSeeds,
    plugin: DatasetMetric,
    value: float,
    data: DatasetData,
    parameters: Any,
    sample: Sample,
    stream: Stream,
) -> MetricInterval:
    """The interval of a value that seeds move too: that of the cases, moved as the value, joined with the seeds'."""
    errors = seeds.spread * stream.normal(size=seeds.count)
    moved = float(errors.mean()) if seeds.mean else float(errors[0])
    run, by_seed = _run(data), iter((value + errors).tolist())
    runs = Runs([run], sample, [], [(run, sample)] * seeds.count if seeds.drawn else [], seeds.mean)
    reach = runs.moved(lambda _: next(by_seed))
    if plugin.compares is not None:
        found = groups_interval(plugin, parameters, data, sample, reach)
    else:
        found = dataset_interval(plugin, value, data, parameters, sample)[2]
        found = found.with_more(value, reach, plugin.minimum, plugin.maximum)
    if found.low is None or found.high is None:
        return found
    # An end that was cut off at the metric's range stays there.
    low = found.low if found.low <= plugin.minimum else found.low + moved
    high = found.high if found.high >= plugin.maximum else found.high + moved
    return replace(found, low=low, high=high)


def groups_interval(
    plugin: DatasetMetric, parameters: Any, data: DatasetData, sample: Sample, reach: float = 0.0
) -> MetricInterval:
    """The interval of a comparison of groups, as scoring makes that of a trained probe; reach: of its seeds."""
    return joined_bounds(BoundMetric(plugin, parameters, plugin.name), [_run(data)], sample, reach)


def _run(data: DatasetData) -> Tested:
    names = tuple(map(str, range(len(data.labels))))
    classes = tuple(map(str, range(data.scores.shape[1])))
    groups = {variable: list(members) for variable, members in data.groups.items()}
    labels: Labels = data.labels.astype(np.intp)
    return Tested(names, labels, list(data.scores), classes, groups, True)
