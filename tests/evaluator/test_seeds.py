"""Seeds of a probe in what is said to be sure: intervals, resamples, tests between teams and sets of places."""

import numpy as np
import pytest
from scipy.special import stdtr

from evaluator.comparison import Entrant, compare_track
from evaluator.comparison._seeds import seeds_influence
from evaluator.metrics import DatasetData
from evaluator.metrics.intervals import freedom
from evaluator.metrics.registry import lookup
from evaluator.probe import run_probe
from evaluator.ranking import Column, RankingError
from evaluator.resampling import draw_counts
from evaluator.scoring import Extras, ProbeReport, Report, _probe_runs
from evaluator.scoring._probe_seeds import Runs, over_seeds, seed_report, value_of
from evaluator.scoring._values import BoundMetric, Sample
from evaluator.spec import Bootstrap, Probe, parse_challenge
from tests.evaluator.datasets import ONE_SEED, fomo26

AUROC = BoundMetric(lookup("ovr_auroc"), lookup("ovr_auroc").parse({}), "ovr_auroc")
POOL, SEEDS, PER_CLASS, MANY = 50, 20, 100, 300


class World:
    """Embeddings of so small a scale that the seed moves a probe more than 300 test cases do.

    A probe with each of a pool of seeds, on many test cases: the truth is the mean over both.
    """

    def __init__(self, start, distance=0.1):
        stream = np.random.default_rng(start)
        centres = stream.normal(0, distance, (3, 64))

        def drawn(size):
            labels = np.repeat(np.arange(3), size)
            return 0.01 * (centres[labels] + stream.normal(0, 1, (3 * size, 64))), labels

        train, val, (test, self.labels) = drawn(80), drawn(20), drawn(MANY)
        self.scores = [
            run_probe(train, val, test, classes=3, probe=Probe(seed=seed)).scores for seed in range(POOL)
        ]
        self.truth = float(np.mean([self.value(scores) for scores in self.scores]))

    def value(self, scores):
        return AUROC.plugin.score(DatasetData(self.labels, scores), AUROC.parameters)

    def scored(self, start, *, mean, seeds, resamples=100):
        """The metric, and its value by seed, with other test cases and other seeds for each start."""
        stream = np.random.default_rng(start)
        cases = np.concatenate(
            [
                stream.choice(np.flatnonzero(self.labels == label), PER_CLASS, replace=False)
                for label in range(3)
            ]
        )
        labels, units = self.labels[cases], np.arange(len(cases))
        counts = draw_counts(units, labels.tolist(), resamples=resamples, digest=str(start))
        sample = Sample(counts, units, 0.95, units, np.zeros(len(units), np.intp))
        runs = [
            _probe_runs.Tested(
                tuple(map(str, cases)), labels, list(self.scores[seed][cases]), ("a", "b", "c"), {}, True
            )
            for seed in stream.integers(0, POOL, SEEDS)
        ]
        drawn = [(run, sample) for run in runs] if seeds else []
        report = over_seeds(str(start), AUROC, Runs(runs if mean else runs[:1], sample, runs, drawn, mean))
        return report, [value_of(AUROC, run) for run in runs]


@pytest.fixture(scope="module")
def world():
    return World(7)


def share_held(world, **how):
    found = [world.scored(start, **how)[0] for start in range(40)]
    return np.mean([report.low <= world.truth <= report.high for report in found])


def test_intervals_that_draw_cases_and_seeds_hold_the_truth_that_those_of_one_seed_miss(world):
    assert share_held(world, mean=False, seeds=False) < 0.8
    assert share_held(world, mean=True, seeds=True) >= 0.93


@pytest.mark.parametrize("mean", [True, False])
def test_replicates_vary_as_cases_and_seeds_do_together(world, mean):
    report, values = world.scored(1, mean=mean, seeds=True, resamples=800)
    cases, _ = world.scored(1, mean=True, seeds=False, resamples=800)
    seeds = np.std(values, ddof=1) / (np.sqrt(SEEDS) if mean else 1)
    together = np.hypot(np.std(cases.replicates), seeds)
    assert np.std(report.replicates) / together == pytest.approx(1, abs=0.1 if mean else 0.25)
    assert np.std(report.replicates) > 1.05 * np.std(cases.replicates)
    assert "draw the probe's seeds with the cases" in report.interval_note
    assert cases.interval_note is None or "seeds" not in cases.interval_note


def entrants(world, starts, *, sources="test_cases_and_seeds", score="mean", seeds=tuple(range(SEEDS))):
    found = []
    for start in starts:
        metric, values = world.scored(start, mean=score == "mean", seeds=True)
        probe = ProbeReport(
            classes=("a", "b", "c"),
            width=64,
            train=240,
            val=60,
            test=300,
            learning_rate=None,
            learning_rates=(),
            validation=(),
            seed=42,
            seeds=seeds,
            score=score,
            by_seed={"ovr_auroc": seed_report(values)},
            reference={},
            reference_penalty=None,
        )
        extras = Extras(dataset="one", bootstrap=Bootstrap(sources=sources), probe=probe)
        report = Report(
            board="task6", cases=("",) * 600, per_case={}, metrics={"ovr_auroc": metric}, extras=extras
        )
        found.append(Entrant(f"team {start}", {"task6": report}))
    return found


def compared(entered):
    content = fomo26().model_dump(mode="json")
    content["boards"]["task6"]["metrics"].pop("f1")
    spec = parse_challenge(content)
    return compare_track(spec.ranking, {"task6": spec.boards["task6"]}, entered)


@pytest.mark.parametrize("score", ["mean", "seed"])
def test_tests_between_teams_hold_the_seeds_part(world, score):
    entered = entrants(world, (1, 2), score=score)
    (pair,) = compared(entered).boards["task6"].tests["ovr_auroc"].pairs
    (one, other) = (entrant.reports["task6"] for entrant in entered)
    values = np.array([report.metrics["ovr_auroc"].value for report in (one, other)])
    slope = 1 / (values * (1 - values))
    psi = slope[:, None] * np.array([report.metrics["ovr_auroc"].influence for report in (one, other)])
    by_seed = slope[:, None] * np.array(
        [report.extras.probe.by_seed["ovr_auroc"].values for report in (one, other)]
    )
    cases = ((psi[0] - psi[1]) ** 2).sum()
    seeds = (by_seed[0] - by_seed[1]).var(ddof=1) / (SEEDS if score == "mean" else 1)
    apart = by_seed - by_seed.mean(axis=1, keepdims=True)
    apart = (apart[0] - apart[1]) * np.sqrt(seeds / ((apart[0] - apart[1]) ** 2).sum())
    degrees = freedom(np.concatenate([psi[0] - psi[1], apart]))
    distance = abs(np.diff(np.log(values / (1 - values)))[0])
    assert seeds > 0.02 * cases
    assert pair.p == pytest.approx(2 * stdtr(degrees, -distance / np.sqrt(cases + seeds)), rel=1e-6)


def test_without_seeds_in_the_draws_tests_are_of_the_cases_alone(world):
    entered = entrants(world, (1, 2), sources="test_cases")
    assert seeds_influence(Column("task6", "ovr_auroc", True, False), ["team 1"], entered).shape == (1, 0)


def test_where_splits_are_drawn_there_is_no_test_and_the_reason_is_said(world):
    entered = entrants(world, (1, 2), sources="test_cases_seeds_and_split")
    found = compared(entered).boards["task6"].tests["ovr_auroc"]
    assert found.test is None
    assert "Splits are drawn" in found.reason


@pytest.mark.parametrize("other", [{"seeds": tuple(range(1, SEEDS + 1))}, {"score": "seed"}])
def test_values_of_other_seeds_are_not_compared(world, other):
    with pytest.raises(
        RankingError, match="team 2: the report of task6 was made with other seeds of the probe"
    ):
        compared([*entrants(world, (1,)), *entrants(world, (2,), **other)])


@pytest.mark.long
def test_sets_of_places_hold_the_true_order_where_seeds_move_values_most():
    worlds = [World(start, distance) for start, distance in enumerate((0.1, 0.1, 0.12, 0.14))]
    order = np.argsort([-world.truth for world in worlds]).argsort() + 1
    held = []
    for start in range(100):
        found = [
            Entrant(f"team {number}", entrants(world, (start,))[0].reports)
            for number, world in enumerate(worlds)
        ]
        places = {place.team: place for place in compared(found).boards["task6"].teams}
        held.append(
            all(
                places[f"team {number}"].low <= place <= places[f"team {number}"].high
                for number, place in enumerate(order)
            )
        )
    assert np.mean(held) >= 0.93


def test_the_organizers_recipe_is_one_seed_and_cases_alone():
    board = fomo26(task6=ONE_SEED).boards["task6"]
    assert (board.probe.score, board.probe.seed, board.bootstrap.sources) == ("seed", 42, "test_cases")
    shipped = fomo26().boards
    for name in ("task6", "task7"):
        assert (shipped[name].probe.score, len(shipped[name].probe.seeds)) == ("mean", 20)
        assert shipped[name].bootstrap.sources == "test_cases_and_seeds"
