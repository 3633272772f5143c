"""What the seed of a probe's training, and of its split, adds to a value's uncertainty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.metrics import NotScored
from evaluator.resampling import seed_of
from evaluator.scoring._dataset import dataset_metric
from evaluator.scoring._intervals import influence_of, interval_of, metric_report
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._report import MetricReport, SeedReport
from evaluator.scoring._values import BoundMetric, Job, Sample
from evaluator.spec import Probe

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """The trained probes of one evaluation.

    own: of the challenge's seed. by_seed: of every published seed on the same split. drawn: those that
    replicates draw from, each with the resamples of its test cases; None where an embedding it needs is missing.
    """

    own: Tested
    sample: Sample
    by_seed: Sequence[Tested]
    drawn: Sequence[tuple[Tested, Sample] | None]


def value_of(metric: BoundMetric, tested: Tested) -> float | None:
    """The metric of a probe's test cases, None where it is undefined or no head could be chosen."""
    if not tested.trained:
        return None
    try:
        value = dataset_metric(metric.name, metric).score(tested.data(metric), metric.parameters)
    except NotScored:
        return None
    return value if np.isfinite(value) else None


def seed_report(values: Sequence[float | None]) -> SeedReport:
    """The figures of one metric over seeds."""
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return SeedReport(values=tuple(values), mean=None, sd=None, low=None, high=None)
    return SeedReport(
        values=tuple(values),
        mean=float(known.mean()),
        sd=float(known.std(ddof=1)) if len(known) > 1 else None,
        low=float(known.min()),
        high=float(known.max()),
    )


def over_seeds(job: Job, probe: Probe, metric: BoundMetric, runs: Runs) -> MetricReport:
    """The metric where seeds enter its value (their mean) or its replicates (each draws one, or several).

    Replicates are paired: the same one draws the same seeds, and splits, in every submission. `influence` is
    that of the test cases alone.
    """
    values = [value_of(metric, run) for run in (runs.by_seed if probe.score == "mean" else [runs.own])]
    known = [value for value in values if value is not None]
    if not known:
        return MetricReport(value=None, reason="The metric is undefined with every seed of the probe.")
    weights = _weights(job, probe, len(runs.drawn), len(runs.sample.counts))
    replicates = np.array([_replicates(metric, run, weights[:, k]) for k, run in enumerate(runs.drawn)])
    usable = np.where(np.isfinite(replicates), weights.T, 0)
    with np.errstate(invalid="ignore"):
        drawn = (np.where(usable > 0, replicates, 0) * usable).sum(axis=0) / usable.sum(axis=0)
    plugin, value = dataset_metric(metric.name, metric), float(np.mean(known))
    influence = _influence(probe, metric, runs)
    seeds = job.board.bootstrap.sources != "test_cases"
    bounds = interval_of(plugin, value, drawn, runs.sample, influence, seeds=seeds)
    return metric_report(value, drawn, runs.sample, bounds, influence, note=plugin.interval_note)


def moved_by_seeds(job: Job, probe: Probe, metric: BoundMetric, runs: Runs) -> float:
    """Half the width of the interval of a value over seeds alone; 0 where the replicates draw none, or one is known."""
    from scipy.special import stdtrit

    found = [value_of(metric, one[0]) for one in runs.drawn if one is not None]
    known = [value for value in found if value is not None]
    if job.board.bootstrap.sources == "test_cases" or len(known) < 2:
        return 0.0
    reach = float(stdtrit(len(known) - 1, (1 + runs.sample.level) / 2) * np.std(known, ddof=1))
    return reach if probe.score == "seed" else reach / math.sqrt(len(known))


def _weights(job: Job, probe: Probe, seeds: int, resamples: int) -> _Values:
    """The share of each seed in each replicate, shape (resamples, seeds)."""
    if job.board.bootstrap.sources == "test_cases":
        return np.full((resamples, seeds), 1 / seeds)
    stream = np.random.Generator(np.random.PCG64(seed_of(job.manifest.digest + " seeds")))
    draws = 1 if probe.score == "seed" else seeds
    drawn: _Values = stream.multinomial(draws, np.full(seeds, 1 / seeds), size=resamples) / draws
    return drawn


def _replicates(metric: BoundMetric, drawn: tuple[Tested, Sample] | None, weights: _Values) -> _Values:
    replicates = np.full(len(weights), np.nan)
    if drawn is not None and drawn[0].trained:
        tested, sample = drawn
        used = weights > 0
        plugin = dataset_metric(metric.name, metric)
        replicates[used] = plugin.replicates(tested.data(metric), sample.counts[used], metric.parameters)
    return replicates


def _influence(probe: Probe, metric: BoundMetric, runs: Runs) -> _Values | None:
    if probe.score == "seed":
        return _influence_of(metric, runs.own)
    found = [_influence_of(metric, one) for one in runs.by_seed if one.trained]
    known = [one for one in found if one is not None]
    return np.mean(known, axis=0) if known and len(known) == len(found) else None


def _influence_of(metric: BoundMetric, tested: Tested) -> _Values | None:
    plugin = dataset_metric(metric.name, metric)
    return influence_of(plugin, tested.data(metric), metric.parameters)
