"""Places of replicates: intervals, chances, groups, Kendall's tau; and what one team or another rule changes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from evaluator.comparison import (
    kendall_tau,
    leave_one_out,
    probability_of_top,
    rank_intervals,
    rank_resamples,
    rule_sensitivity,
    tie_groups,
)
from evaluator.ranking import Column, Table, read_rows
from evaluator.spec import Ranking, load_challenge

ROOT = Path(__file__).parents[2]


def test_an_interval_holds_the_level_and_ends_at_places_that_occur():
    places = np.array([[1, 2]] * 96 + [[2, 1]] * 4)
    low, high = rank_intervals(places, 0.95)
    assert (low.tolist(), high.tolist()) == ([1, 1], [2, 2])
    low, high = rank_intervals(places, 0.9)
    assert (low.tolist(), high.tolist()) == ([1, 2], [1, 2])


def test_chances_count_ties_for_every_team_in_them():
    places = np.array([[1, 1, 3, 4], [1, 2, 3, 4], [2, 1, 4, 3], [1, 1, 3, 3]])
    assert probability_of_top(places, 1).tolist() == [0.75, 0.75, 0, 0]
    assert probability_of_top(places, 3).tolist() == [1, 1, 0.75, 0.5]


def test_teams_without_a_rank_share_the_last_group_and_near_ties_are_ties():
    apart = ~np.eye(4, dtype=bool)
    assert tie_groups(np.array([np.nan, 1.0, np.nan, 1.0 + 1e-10]), apart).tolist() == [2, 1, 2, 1]


def test_groups_go_down_the_ranking_and_no_name_decides():
    overall = np.array([1.0, 2.0, 3.0, 4.0])
    apart = np.zeros((4, 4), dtype=bool)
    apart[0, 2] = apart[2, 0] = apart[0, 3] = apart[3, 0] = True
    assert tie_groups(overall, apart).tolist() == [1, 1, 2, 2]
    assert tie_groups(overall[::-1], apart[::-1, ::-1]).tolist() == [2, 2, 1, 1]
    level = np.array([1.0, 2.0, 2.0])
    one_apart = np.zeros((3, 3), dtype=bool)
    one_apart[0, 2] = one_apart[2, 0] = True
    assert tie_groups(level, one_apart).tolist() == [1, 2, 2]
    assert tie_groups(level[[0, 2, 1]], one_apart[np.ix_([0, 2, 1], [0, 2, 1])]).tolist() == [1, 2, 2]


@settings(max_examples=40, deadline=None)
@given(arrays(np.int64, (5, 6), elements=st.integers(1, 6)), arrays(np.int64, 6, elements=st.integers(1, 6)))
def test_tau_is_scipys(places, reference):
    found = kendall_tau(places, reference)
    expected = [stats.kendalltau(row, reference).statistic for row in places]
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def fomo25():
    spec = load_challenge(ROOT / "challenges" / "fomo25" / "challenge.yaml")
    rows = read_rows(ROOT / "tests" / "data" / "fomo25_open_track.csv", spec.tracks)
    return spec.ranking, Table.of(spec.boards, rows)


def test_leaving_out_one_team_of_fomo25_reorders_two_others():
    found = {one.team: one for one in leave_one_out(*fomo25())}
    assert len(found) == 9
    pair = next(
        one for one in found["TeamTigerAtFOMO2025"].reordered if set(one.teams) == {"FOMO HSEE", "MIPLAB"}
    )
    assert (pair.before, pair.after) == ("MIPLAB", "FOMO HSEE")  # the last of nine decides who is fourth
    assert found["TeamTigerAtFOMO2025"].places["FOMO HSEE"] == 4
    assert found["DKFZ_MIC"].reordered == ()


def test_leaving_out_a_team_in_a_constructed_example():
    ranking = Ranking.model_validate({"weights": {"x": 1, "y": 1}, "rerank_boards": False})
    columns = (Column("x", "m", True, False), Column("y", "m", True, False))
    values = np.array([[0.9, 0.7, 0.8], [0.6, 0.8, 0.5]])  # a: 1 + 2; b: 3 + 1; c: 2 + 3
    found = leave_one_out(ranking, Table(("a", "b", "c"), columns, values))
    without_c = next(one for one in found if one.team == "c")
    assert without_c.places == {"a": 1, "b": 1}  # a: 1 + 2; b: 2 + 1
    (pair,) = without_c.reordered
    assert (pair.before, pair.after) == ("a", None)


def test_the_rules_alternatives_are_tried_one_point_at_a_time():
    ranking, table = fomo25()
    found = {one.change: one for one in rule_sensitivity(ranking, table)}
    assert found["rerank_boards: true"].places[list(table.teams).index("Raidium")] == 5  # sixth as published
    assert found["round: 2"].tau < 1
    assert "missing_board: excluded" in found
    assert "weights: equal" not in found  # they are
    assert not any("rank_then_mean" in one for one in found)  # the published scores have no cases


def test_every_replicate_is_ranked_by_the_same_rule():
    ranking, table = fomo25()
    rng = np.random.default_rng(9)
    replicates = table.values + rng.normal(0, 0.05, (20, *table.values.shape))
    found = rank_resamples(ranking, table, replicates, {})
    for number, values in enumerate(replicates):
        alone = Table(table.teams, table.columns, values).ranks(ranking)
        assert np.array_equal(found.places[number], alone.places)
