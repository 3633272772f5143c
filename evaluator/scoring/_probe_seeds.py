"""What the seed of a probe's training, and of its split, adds to a value's uncertainty."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluator.metrics import NotScored
from evaluator.metrics.intervals import MetricInterval
from evaluator.resampling import seed_of
from evaluator.scoring._dataset import dataset_metric, score_dataset
from evaluator.scoring._intervals import mean_interval, metric_report
from evaluator.scoring._probe_runs import Tested
from evaluator.scoring._report import MetricReport, SeedReport
from evaluator.scoring._values import BoundMetric, Sample
from evaluator.spec import Probe

SEEDED = (
    "The published resamples draw the probe's seeds with the cases, so they vary over 10 % more than the influence "
    "values say of cases alone; the interval allows for both."
)
_MORE = 1.1

_Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """The trained probes of one evaluation.

    scored: those whose mean is the value; none where no head could be chosen. sample: the resamples of their test
    cases. by_seed: of every published seed on the same split. drawn: those that replicates draw from, each with the
    resamples of its test cases, None where an embedding it needs is missing; empty where only cases are drawn.
    mean: whether the value is a mean over seeds.
    """

    scored: Sequence[Tested]
    sample: Sample
    by_seed: Sequence[Tested]
    drawn: Sequence[tuple[Tested, Sample] | None]
    mean: bool

    def moved(self, value: Callable[[Tested], float | None]) -> float:
        """Half the width of the interval that seeds alone give; 0 where none are drawn, or one is known.

        value: of one probe.
        """
        from scipy.special import stdtrit

        found = [value(one[0]) for one in self.drawn if one is not None and one[0].trained]
        known = [one for one in found if one is not None]
        if len(known) < 2:
            return 0.0
        reach = float(stdtrit(len(known) - 1, (1 + self.sample.level) / 2) * np.std(known, ddof=1))
        return reach / math.sqrt(len(known)) if self.mean else reach


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


def over_seeds(digest: str, metric: BoundMetric, runs: Runs) -> MetricReport:
    """The metric where seeds enter its value (their mean) or its replicates (each draws one, or several).

    Replicates are paired: the same one draws the same seeds, and splits, in every submission. `influence` is
    that of the test cases alone. The interval is that of the cases, joined with that of the seeds.

    digest: of the dataset, on which alone the draws depend.
    """
    plugin, sample = dataset_metric(metric.name, metric), runs.sample
    values = [(run, value_of(metric, run)) for run in runs.scored]
    known = [(run.data(metric), value) for run, value in values if value is not None]
    if not known:
        return score_dataset(metric, runs.scored[0].data(metric), sample)  # which says why
    data, value = [one for one, _ in known], float(np.mean([one for _, one in known]))
    drawn, influence, bounds = mean_interval(plugin, value, data, metric.parameters, sample)
    if runs.drawn:
        drawn = _replicates(digest, metric, runs)
        reach = runs.moved(lambda tested: value_of(metric, tested))
        bounds = bounds.with_more(value, reach, plugin.minimum, plugin.maximum)
        bounds = _noted(bounds, drawn, influence)
    return metric_report(value, drawn, sample, bounds, influence, note=plugin.interval_note)


def _noted(bounds: MetricInterval, drawn: _Values, influence: _Values | None) -> MetricInterval:
    """The interval with a sentence where the resamples vary more than the influence values say."""
    if bounds.pair is None or influence is None or not np.nanstd(drawn) > _MORE * np.linalg.norm(influence):
        return bounds
    return replace(bounds, note=" ".join(filter(None, [bounds.note, SEEDED])))


def _replicates(digest: str, metric: BoundMetric, runs: Runs) -> _Values:
    """The value in each resample of cases and seeds, shape (resamples,)."""
    weights = _weights(digest, len(runs.drawn), len(runs.sample.counts), mean=runs.mean)
    found = np.array([_of_run(metric, run, weights[:, k]) for k, run in enumerate(runs.drawn)])
    usable = np.where(np.isfinite(found), weights.T, 0)
    with np.errstate(invalid="ignore"):
        drawn: _Values = (np.where(usable > 0, found, 0) * usable).sum(axis=0) / usable.sum(axis=0)
    return drawn


def _weights(digest: str, seeds: int, resamples: int, *, mean: bool) -> _Values:
    """The share of each seed in each replicate, shape (resamples, seeds).

    A mean over m seeds draws m − 1 of them: means of m drawn ones vary by (m − 1)/m of what they should.
    """
    stream = np.random.Generator(np.random.PCG64(seed_of(digest + " seeds")))
    draws = max(seeds - 1, 1) if mean else 1
    drawn: _Values = stream.multinomial(draws, np.full(seeds, 1 / seeds), size=resamples) / draws
    return drawn


def _of_run(metric: BoundMetric, drawn: tuple[Tested, Sample] | None, weights: _Values) -> _Values:
    replicates = np.full(len(weights), np.nan)
    if drawn is not None and drawn[0].trained:
        tested, sample = drawn
        used = weights > 0
        plugin = dataset_metric(metric.name, metric)
        replicates[used] = plugin.replicates(tested.data(metric), sample.counts[used], metric.parameters)
    return replicates


def scored_runs(probe: Probe, own: Tested, by_seed: Sequence[Tested]) -> list[Tested]:
    """The probes whose mean is the value: that of the challenge's seed, or those of all published ones."""
    return [run for run in ([own] if probe.score == "seed" else by_seed) if run.trained]
