"""What is said stays true where few units make most of it: one subject with half of the sessions, a class of few."""

import math

import numpy as np
import pytest

from evaluator.comparison._differences import Differences
from evaluator.comparison._errors import Errors, influence_errors
from evaluator.comparison._rank_sets import rank_sets
from evaluator.comparison._sure import sure_places
from evaluator.metrics import DatasetData
from evaluator.metrics.influence import by_unit, of_mean
from evaluator.metrics.registry import lookup
from evaluator.ranking import Column, Table
from evaluator.resampling import draw_counts
from evaluator.scoring import Sample, dataset_interval
from evaluator.scoring._intervals import ALONE, FEW, metric_report
from evaluator.scoring._units import unit_influence
from evaluator.spec import Ranking

TEAMS, RUNS = 10, 300


def sessions(stream, sizes, together=0.8):
    """Values of equal teams, (teams, cases), correlated within a subject, and the subject of each case."""
    units = np.repeat(np.arange(len(sizes)), sizes)
    own = stream.normal(size=(TEAMS, len(sizes)))[:, units]
    return math.sqrt(together) * own + math.sqrt(1 - together) * stream.normal(
        size=(TEAMS, len(units))
    ), units


@pytest.mark.parametrize("sizes", [[20] + [1] * 29, [10] * 4 + [1] * 36])
def test_sets_and_tests_hold_where_some_subjects_have_most_of_the_sessions(sizes):
    stream, held, wrong = np.random.default_rng(4), 0, 0.0
    for run in range(RUNS):
        values, units = sessions(stream, sizes)
        moved = np.array([unit_influence(of_mean(row), units, np.zeros_like(units)) for row in values])
        p = Differences.of(values.mean(axis=1), moved, distribution="t").p()
        wrong += (p[0:9:2, 1:10:2].diagonal() <= 0.05).mean()
        found = rank_sets(-values.mean(axis=1), influence_errors(f"{run}", moved, 399), 0.95)
        places = stream.permutation(TEAMS) + 1
        held += bool(((found.low <= places) & (places <= found.high)).all())
    assert held / RUNS >= 0.945
    assert wrong / RUNS <= 0.09, "0.17 and 0.11 by sums over the sessions"


def test_units_of_one_size_have_the_influence_of_as_many_cases():
    stream = np.random.default_rng(1)
    means = stream.normal(size=12)
    cases = np.repeat(means, 3)
    units = np.repeat(np.arange(12), 3)
    found = unit_influence(of_mean(cases), units, np.zeros_like(units))
    assert found == pytest.approx(of_mean(means), abs=1e-12)
    alone = unit_influence(of_mean(means), np.arange(12), np.zeros(12, np.intp))
    assert (alone == by_unit(of_mean(means), np.arange(12))).all()


def test_no_team_is_ahead_of_another_that_rounding_makes_equal():
    ranking = Ranking.model_validate({"weights": {"b": 1}, "round": 1})
    stream, wrong = np.random.default_rng(3), 0
    for run in range(100):
        common = 0.9 * stream.normal(size=107)
        cases = 0.745 + 0.1 * (common + 0.436 * stream.normal(size=(TEAMS, 107)))
        moved = np.array([of_mean(row) for row in cases])
        table = Table(
            tuple(f"team{team}" for team in range(TEAMS)),
            (Column("b", "dsc", True, False),),
            cases.mean(axis=1)[None],
        )
        errors = Errors(influence_errors(f"{run}", moved, 399)[:, None], (), ())
        found = sure_places(ranking, table, table.ranks(ranking), errors, 0.95).overall
        assert found is not None
        wrong += bool(found.ahead.any())
    assert wrong <= 5


@pytest.mark.parametrize(("positives", "note"), [(1, ALONE), (3, FEW.format(count=3)), (5, None)])
def test_an_interval_says_when_a_class_has_few_subjects(positives, note):
    stream = np.random.default_rng(2)
    labels = (np.arange(80) < positives).astype(int)
    data = DatasetData(labels, stream.normal(size=80) + labels)
    counts = draw_counts(range(80), labels.tolist(), resamples=200, digest="few")
    sample = Sample(counts, np.arange(80), 0.95, np.arange(80), labels)
    metric = lookup("auroc")
    value = metric.score(data, metric.parse({}))
    drawn, influence, bounds = dataset_interval(metric, value, data, metric.parse({}), sample)
    found = metric_report(value, drawn, sample, bounds, influence)
    assert (found.interval_note or "").endswith(note or "")
    assert (found.low is None, found.influence is None, not found.replicates) == ((positives == 1,) * 3)
