"""How little would put another team first: other weights of the boards, or fewer subjects."""

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from evaluator.comparison import Entrant, datasets_of, rows_of
from evaluator.comparison._errors import influence_of
from evaluator.comparison._fewest import _Dataset, fewest_left_out
from evaluator.comparison._weights import least_shift, shift_to_another
from evaluator.metrics.influence import of_mean
from evaluator.ranking import Table, columns_of
from evaluator.scoring._units import unit_influence
from evaluator.spec import Bootstrap
from tests.evaluator import reports
from tests.evaluator.test_prizes import FOMO26, SHARED, decided, near, season


def test_the_least_shift_of_weights_is_that_of_a_linear_program():
    stream = np.random.default_rng(6)
    checked = 0
    for _ in range(60):
        boards = stream.integers(1, 6, size=(5, 2)).astype(float)
        weights = stream.dirichlet(np.ones(5))
        lead = boards[:, 1] - boards[:, 0]
        found = least_shift(100 * weights, boards, 0, 1)
        if weights @ lead < 0 or lead.min() >= 0:
            assert found is None
            continue
        # Of the weights w = declared + up − down with w · lead ≤ 0, those that move the least.
        best = linprog(
            np.r_[np.full(5, 0.5), np.full(5, 0.5)],
            A_ub=np.r_[lead, -lead][None, :],
            b_ub=[-weights @ lead],
            A_eq=np.r_[np.ones(5), -np.ones(5)][None, :],
            b_eq=[0],
            bounds=[(0, None)] * 5 + [(0, one) for one in weights],
        )
        assert found.moved == pytest.approx(best.fun, abs=1e-9)
        assert found.weights.sum() == pytest.approx(1)
        assert found.weights @ lead == pytest.approx(0, abs=1e-9)
        checked += 1
    assert checked > 20


def test_teams_without_the_same_boards_have_no_least_shift():
    boards = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert least_shift(np.array([1.0, 1.0]), boards, 0, 1) is None


def test_who_is_first_beyond_the_least_shift_is_told_by_ranking_all_again():
    stream = np.random.default_rng(3)
    checked = 0
    for _ in range(80):
        boards = np.array([stream.permutation(4) + 1.0 for _ in range(3)])
        weights = stream.dirichlet(np.ones(3))
        leader = int(np.argmin(weights @ boards))
        rivals = [team for team in range(4) if team != leader]
        found = shift_to_another(FOMO26.ranking, weights, boards, leader, rivals)
        if found is None:
            continue
        shift, first = found
        toward = shift.weights - weights
        beyond, short = (np.clip(weights + toward * by, 0, None) for by in (1.0001, 0.9999))
        assert np.argmin(short @ boards) == leader
        assert (beyond @ boards)[first] == pytest.approx((beyond @ boards).min(), abs=1e-3)
        assert (beyond @ boards)[first] < (beyond @ boards)[leader]
        checked += 1
    assert checked > 30


def test_a_shift_after_which_two_would_share_the_first_prize_names_neither():
    boards = np.array([[1.0, 2.0, 2.0], [3.0, 1.0, 1.0]])
    assert least_shift(np.array([0.8, 0.2]), boards, 0, 1) is not None
    assert shift_to_another(FOMO26.ranking, np.array([0.8, 0.2]), boards, 0, [1, 2]) is None
    boards[1, 2] = 2.0
    _, first = shift_to_another(FOMO26.ranking, np.array([0.8, 0.2]), boards, 0, [1, 2])
    assert first == 1


def test_no_least_shift_is_told_where_a_rival_has_other_boards():
    """The second team is overtaken by the fourth, which lacks the first board, before it is by the first."""
    boards = np.array([[4.0, 1, 2, 3, 5], [3, 1, np.nan, 2, 4], [1, 4, 2, 3, np.nan]])
    weights = np.array([0.649, 0.315, 0.036])
    excluded = FOMO26.ranking.model_copy(update={"missing_board": "excluded"})
    assert least_shift(weights, boards, 1, 0) is not None
    assert shift_to_another(excluded, weights, boards, 1, [0, 2, 3, 4]) is None
    assert shift_to_another(excluded, weights, boards, 1, [0, 3]) is not None  # all with the same boards


def test_teams_without_all_boards_have_no_shift_but_subjects_that_make_another_first():
    excluded = FOMO26.ranking.model_copy(update={"missing_board": "excluded"})
    found = [
        Entrant(one.team, {"task2": one.reports["task2"]} if one.team == "team1" else one.reports)
        for one in season(seed=8)
    ]
    decision = decided(excluded, found)
    assert decision.weights is None
    assert decision.cases is not None


def test_a_team_whose_only_board_has_no_weight_yet_may_be_ahead_under_others():
    weights = {name: float(name == "task2") for name in FOMO26.boards}
    rule = FOMO26.ranking.model_copy(update={"missing_board": "excluded", "weights": weights})
    labels = np.arange(reports.CASES) % 2
    late = Entrant("late", {"task1": reports.classification("task1", labels, labels.astype(float))})
    assert decided(rule, season()).under_any_weights
    found = decided(rule, [*season(), late])
    assert found.first == ("team0",)
    assert (found.weights, found.under_any_weights) == (None, False)


def test_without_the_subjects_that_are_named_another_team_is_first():
    moved = []
    for seed in (0, 1, 9):
        found = near(seed=seed)
        table = Table.of(FOMO26.boards, rows_of("", found))
        leader = int(np.argmin(table.ranks(FOMO26.ranking).overall))
        (influence,) = influence_of(FOMO26.ranking, table, found, datasets_of(found)).values()
        for rival in {0, 1, 2, 3} - {leader}:
            taken = fewest_left_out(FOMO26.ranking, table, [influence], leader, [rival], np.ones(4, bool))
            if taken is not None and taken.total <= 3:
                assert taken.total == taken.subjects[0]
                assert taken.exact
                assert _first_alone(table, influence, taken.first, taken.total)
                moved.append(taken.total)
    assert len(moved) > 3
    assert max(moved) > 1


def _first_alone(table, influence, team, count):
    """Whether a team alone is first on some choice of `count` cases left out, by the means of those that stay."""
    for gone in combinations(range(reports.CASES), count):
        kept = [case for case in range(reports.CASES) if case not in gone]
        values = table.values.copy()
        for column in influence:
            values[column] = table.cases[column][:, kept].mean(axis=1)
        overall = Table(table.teams, table.columns, values).ranks(FOMO26.ranking).overall
        if overall[team] < np.delete(overall, team).min():
            return True
    return False


@pytest.mark.parametrize(("teams", "seed"), [(5, 11), (6, 23), (8, 5)])
def test_who_is_named_is_first_of_all_teams_and_not_just_ahead_of_the_leader(teams, seed):
    found = near(teams, seed)
    cases = decided(FOMO26.ranking, found).cases
    table = Table.of(FOMO26.boards, rows_of("", found))
    assert cases.subjects <= 3
    assert _first_alone(table, table.cases, table.teams.index(cases.team), cases.subjects)


def test_what_is_known_to_first_order_is_said_to_be_about_so():
    cases = decided(FOMO26.ranking, season(seed=8)).cases
    assert not cases.exact  # AUROC of task1
    one, other = (f"{cases.by_boards[board]} subjects of {board}" for board in ("task1", "task2"))
    assert cases.wording() == f"about {one} and {other}"


def test_a_value_without_one_site_is_the_mean_of_the_other_sites():
    values = np.random.default_rng(5).uniform(size=(2, 12))
    sites = np.repeat([0, 1, 2, 3], [6, 3, 2, 1])
    influence = np.stack([unit_influence(of_mean(row), sites, np.zeros(12, dtype=int)) for row in values])
    columns = columns_of({"task2": FOMO26.boards["task2"]})[:1]
    table = Table(("one", "other"), columns, values.mean(axis=1)[None, :], {0: values})
    dataset = _Dataset.of(table, {0: influence})
    assert not dataset.exact
    for site in range(4):
        order = np.array([site, *(other for other in range(4) if other != site)])
        without = dataset.without(order, np.array([1]))[0, 0]
        assert without == pytest.approx(values[:, sites != site].mean(axis=1), abs=1e-12)


@pytest.mark.parametrize("unit", ["case", "site"])
def test_what_is_left_out_is_called_what_was_drawn(unit):
    found = [
        Entrant(
            one.team,
            {
                board: report.model_copy(
                    update={"extras": report.extras.model_copy(update={"bootstrap": Bootstrap(unit=unit)})}
                )
                for board, report in one.reports.items()
            },
        )
        for one in near()
    ]
    decision = decided(FOMO26.ranking, found)
    assert decision.cases.units == {"task2": unit}
    (sentence,) = (one for one in decision.sentences() if "without" in one)
    assert f" {unit}" in sentence
    assert "subject" not in sentence


def test_where_the_winner_set_shares_the_prizes_nobody_is_said_to_get_the_first_instead():
    told = [
        sentence
        for seed in range(1, 6)
        for sentence in decided(SHARED, list(season(seed=seed))).sentences()
        if "would" in sentence and not sentence.startswith("No weights of the boards would")
    ]
    assert len(told) > 2
    assert all("would be first of the eligible teams" in sentence for sentence in told)
    assert not any("would go to" in sentence for sentence in told)
