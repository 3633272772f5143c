"""A world for each published interval, like the data behind it as far as the report tells."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.calibration._coverage import ProbeSeeds, World
from evaluator.calibration._design import Design
from evaluator.calibration._families import NOT_SIMULATED, family_of, matched, matched_groups
from evaluator.calibration._too_large import TOO_LARGE, too_large
from evaluator.calibration._worlds import Population, SignedErrors
from evaluator.metrics import CaseMetric, DatasetMetric
from evaluator.metrics.registry import is_built_in
from evaluator.ranking import RankingError
from evaluator.scoring import BoundMetric, MetricReport, Report, bound_metrics
from evaluator.spec import Board, Bootstrap, Challenge

_SPLITS = "its resamples draw splits of the probe, and a report holds no embeddings to train a probe with"
_NO_SEEDS = "its report does not say what the probe's seeds give"
_WITH_SEEDS = (
    "what {count} seeds of the probe add is taken as normal, of the observed spread, whatever the cases"
)
_NO_CASES = (
    "the report holds neither values of single cases nor influence values; score again to have both kept"
)
_ONE_SITE = "which site a case is from stands in no report: cases are drawn within classes alone"
_ALONE = "the report does not say how many subjects there are: each case is taken for one"
_DECLARED = "how cases were drawn is not in the report: as the challenge file says now"
_EQUAL = "class sizes stand in no report and are taken as equal; --classes {board}={example} tells them"
_FROM_AUROC = "class sizes are those that AUROC and its resamples are whole parts of: {sizes}"
_RARER = "; which class is which they do not tell, label 1 is taken for the rarer"
_TOGETHER = "cases of one subject are taken to be correlated by 0.8"
_MISSED = "the truth of this world is {truth:.4g}, as near as it comes to {value:.4g}"


@dataclass(frozen=True)
class Like:
    """A world like the data of a published interval. told: what it is, and what was taken for granted, in sentences."""

    world: World
    design: Design
    resamples: int
    level: float
    told: tuple[str, ...]


@dataclass(frozen=True)
class ClassSizes:
    """Cases of each class, by board where somebody said them, else by dataset and number of cases as AUROCs tell."""

    given: Mapping[str, tuple[int, ...]]
    found: Mapping[tuple[str, int], tuple[int, ...]]

    @classmethod
    def of(
        cls, challenge: Challenge, reports: Sequence[Report], given: Mapping[str, tuple[int, ...]]
    ) -> "ClassSizes":
        """What the reports of a challenge tell."""
        values: dict[tuple[str, int], list[MetricReport]] = {}
        for report in reports:
            for key, metric in report.metrics.items():
                name = challenge.boards[report.board].metrics[key].metric
                two = report.extras.probe is None or len(report.extras.probe.classes) == 2
                within = (report.extras.bootstrap or challenge.boards[report.board].bootstrap).strata
                if name in ("auroc", "ovr_auroc") and two and "class" in within:
                    values.setdefault((report.extras.dataset, scored_cases(report)), []).append(metric)
        found = {key: sizes for key, metrics in values.items() if (sizes := _sizes(metrics, key[1]))}
        return cls(given, found)

    def told(self, report: Report, classes: int) -> tuple[tuple[int, ...], str | None]:
        """The cases of each class, and where that is from, None where somebody said it.

        Raises:
            RankingError: somebody said the sizes of another number of classes.
        """
        cases = scored_cases(report)
        if (given := self.given.get(report.board)) is not None:
            if len(given) != classes:
                raise RankingError(
                    f"--classes {report.board}: it has {classes} classes, and {len(given)} numbers were given"
                )
            return given, None
        known = self.found.get((report.extras.dataset, cases))
        if known is not None and classes == 2:
            said = _FROM_AUROC.format(sizes=" and ".join(map(str, known)))
            return known, said + (_RARER if known[0] != known[1] else "")
        ends = [number * cases // classes for number in range(classes + 1)]
        sizes = tuple(int(size) for size in np.diff(ends))
        return sizes, _EQUAL.format(board=report.board, example=",".join(map(str, sizes)))


def scored_cases(report: Report) -> int:
    """The cases that make the values: of a probe those that it is tested on."""
    return report.extras.probe.test if report.extras.probe else len(report.cases)


def _sizes(metrics: Sequence[MetricReport], cases: int) -> tuple[int, int] | None:
    """Sizes of two classes, the larger first: AUROC counts half pairs, so it is a whole part of twice their product."""
    values = [
        value for metric in metrics for value in (metric.value, *metric.replicates) if value is not None
    ]
    distinct = np.unique(np.array(values))
    if len(distinct) < 20:  # so few are parts of many products
        return None
    for rarer in range(1, cases // 2 + 1):
        parts = 2 * rarer * (cases - rarer) * distinct
        if np.abs(parts - np.round(parts)).max() < 1e-4:
            return cases - rarer, rarer
    return None


def world_like(challenge: Challenge, report: Report, key: str, sizes: ClassSizes) -> Like | str:
    """The world of one metric of a report that has an interval, or why there is none."""
    board = challenge.boards[report.board]
    bootstrap = report.extras.bootstrap or board.bootstrap
    seeds = _seeds(report, key, bootstrap)
    if isinstance(seeds, str):
        return seeds
    if too_large(report.metrics[key]):
        return TOO_LARGE
    bound = bound_metrics(board, challenge.tasks[board.task].kind)[key]
    told = [_DECLARED] if report.extras.bootstrap is None else []
    plugin, metric = bound.plugin, report.metrics[key]
    if isinstance(plugin, CaseMetric):
        like = _of_cases(bound, metric, report.per_case.get(key, ()), bootstrap, told)
    elif not is_built_in(plugin):
        like = NOT_SIMULATED["foreign"]
    elif plugin.name in ("mae", "rmse") and metric.influence:
        like = _of_errors(bound, metric, bootstrap, told)
    else:
        like = _of_dataset(_Parts(challenge, board, report, key, bound, plugin, bootstrap, sizes), told)
    if isinstance(like, str):
        return like
    if seeds is not None:
        said = _WITH_SEEDS.format(count=seeds.count)
        like = replace(like, world=replace(like.world, seeds=seeds), told=(*like.told, said))
    return replace(like, told=(*like.told, *([_ONE_SITE] if "site" in bootstrap.strata else [])))


def _seeds(report: Report, key: str, bootstrap: Bootstrap) -> ProbeSeeds | str | None:
    """What the seeds of a probe add, None where one decides and none is drawn."""
    probe, drawn = report.extras.probe, bootstrap.sources != "test_cases"
    if probe is None or (probe.score == "seed" and not drawn):
        return None
    if bootstrap.sources == "test_cases_seeds_and_split":
        return _SPLITS
    known = probe.by_seed.get(key)
    if known is None or known.sd is None:
        return _NO_SEEDS
    count = sum(value is not None for value in known.values)
    return ProbeSeeds(count, known.sd, probe.score == "mean", drawn)


def _like(bootstrap: Bootstrap, world: World, design: Design, told: Sequence[str]) -> Like:
    return Like(world, design, bootstrap.resamples, bootstrap.level, tuple(told))


def _of_cases(
    bound: BoundMetric,
    metric: MetricReport,
    values: Sequence[float | None],
    bootstrap: Bootstrap,
    told: Sequence[str],
) -> Like | str:
    known = [value for value in values if value is not None]
    units = len(metric.influence or ())
    if metric.influence and (units < len(values) or not known):
        amounts = tuple(_amounts(metric, bound))
        what = f"the means of {units:,} subjects, smoothed"
    elif len(known) > 1:
        amounts, what = tuple(known), f"the values of {len(known):,} cases, smoothed"
    else:
        return _NO_CASES
    population = Population(amounts, bound.plugin.minimum, bound.plugin.maximum)
    world = World(bound.name, population, False)
    return _like(bootstrap, world, Design(len(amounts)), [what, *told])


def _amounts(metric: MetricReport, bound: BoundMetric) -> list[float]:
    """What each unit adds to a mean: value + ψ·√(n(n − 1))."""
    moved = np.array(metric.influence)
    found = (metric.value or 0.0) + moved * math.sqrt(len(moved) * max(len(moved) - 1, 1))
    kept: list[float] = np.clip(found, bound.plugin.minimum, bound.plugin.maximum).tolist()
    return kept


def _of_errors(
    bound: BoundMetric, metric: MetricReport, bootstrap: Bootstrap, told: Sequence[str]
) -> Like | str:
    """ψ of a mean error, or of the root of the mean square, tells how far each subject's predictions are off."""
    moved, value = np.array(metric.influence), metric.value or 0.0
    steps = moved * math.sqrt(len(moved) * max(len(moved) - 1, 1))
    if bound.plugin.name == "rmse":
        sizes = np.sqrt(np.maximum(value**2 + 2 * value * steps, 0))
    else:
        sizes = np.maximum(value + steps, 0)
    errors = SignedErrors(Population(tuple(sizes.tolist()), 0, math.inf))
    world = World(bound.name, errors, False, bound.parameters.model_dump())
    what = f"the errors of {len(moved):,} subjects, smoothed, upwards as often as downwards"
    return _like(bootstrap, world, Design(len(moved)), [what, *told])


@dataclass(frozen=True)
class _Parts:
    """One metric of a whole dataset in one report."""

    challenge: Challenge
    board: Board
    report: Report
    key: str
    bound: BoundMetric
    plugin: DatasetMetric
    bootstrap: Bootstrap
    sizes: ClassSizes

    @property
    def metric(self) -> MetricReport:
        return self.report.metrics[self.key]

    @property
    def classes(self) -> int:
        return classes_of(self.challenge, self.report, self.bound)


def classes_of(challenge: Challenge, report: Report, bound: BoundMetric) -> int:
    """How many classes a metric of a report tells apart; 0 where labels are none."""
    if isinstance(bound.plugin, CaseMetric):
        return 0
    if bound.plugin.compared(bound.parameters)[0].reads not in ("binary", "classes"):
        return 0
    if report.extras.probe is not None:
        return len(report.extras.probe.classes)
    task = challenge.tasks[challenge.boards[report.board].task]
    return len(getattr(task.output, "classes", (0, 1)))


def _of_dataset(parts: _Parts, told: Sequence[str]) -> Like | str:
    design, said = _design(parts)
    given, value = parts.bound.parameters.model_dump(), parts.metric.value or 0.0
    if parts.plugin.compares is not None:
        world = matched_groups(parts.plugin, given, value, _groups(parts), design)
        if isinstance(world, str):
            return world
        return _like(
            parts.bootstrap, world, design, ["groups as large as observed, and as far apart", *told, *said]
        )
    family = family_of(parts.plugin)
    if isinstance(family, str):
        return family
    like = matched(parts.bound.name, family, value, design, given)
    truth, low, high = like.truth(design), parts.metric.low, parts.metric.high
    if low is not None and high is not None and abs(truth - value) > 0.1 * (high - low):
        said = [*said, _MISSED.format(truth=truth, value=value)]
    return _like(parts.bootstrap, like, design, [family.told, *told, *said])


def _design(parts: _Parts) -> tuple[Design, list[str]]:
    cases, told = scored_cases(parts.report), []
    lengths = [len(metric.influence) for metric in parts.report.metrics.values() if metric.influence]
    units = len(parts.metric.influence or ()) or max(lengths, default=0) or _grouped(parts.report)
    if not units:
        told.append(_ALONE)
        units = cases
    sessions = max(round(cases / units), 1)
    if sessions > 1:
        told.append(_TOGETHER)
    design = Design(units * sessions, sessions=sessions)
    if parts.classes:
        sizes, said = parts.sizes.told(parts.report, parts.classes)
        subjects = replace(design, sizes=sizes).enlarged(units).sizes
        design = replace(design, sizes=subjects)
        told += [] if said is None else [said]
    return design, told


def _grouped(report: Report) -> int:
    """The subjects of a report all of whose cases are in some group of a variable; else 0."""
    for members in (report.extras.groups or {}).values():
        if sum(group.size for group in members.values()) == scored_cases(report):
            return sum(group.subjects for group in members.values())
    return 0


def _groups(parts: _Parts) -> dict[str, dict[str, tuple[float, float]]]:
    """By variable and group, the share of the cases and the value; without those that have none."""
    cases, groups = scored_cases(parts.report), parts.report.extras.groups or {}
    return {
        variable: {
            name: (group.size / cases, value)
            for name, group in members.items()
            if (value := group.values.get(parts.key)) is not None
        }
        for variable, members in groups.items()
    }
