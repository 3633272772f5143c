"""Who wins what, how sure that is, and how little would give the first prize to another."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from evaluator.comparison import Entrant, compare_track
from evaluator.comparison._weights import nowhere_ahead, weight_space
from evaluator.ranking import awards_of, explain, rule_digest
from evaluator.spec import Ranking, load_challenge
from tests.evaluator import reports

FOMO26 = load_challenge(Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml")
SHARED = Ranking.model_validate(
    {
        **FOMO26.ranking.model_dump(),
        "prizes": {"places": ["gold", "silver", "bronze"], "share_within": "winner_set"},
    }
)
"""FOMO26's rule with prizes that the winner set shares."""


@cache
def season(teams=4, seed=11):
    return tuple(Entrant(team, found) for team, found in reports.season(teams, seed).items())


def near(teams=4, seed=9):
    """Teams that nothing tells apart."""
    stream = np.random.default_rng(seed)
    found = []
    for number in range(teams):
        dsc, nsd = (np.clip(stream.normal(0.7 - 0.001 * number, 0.1, reports.CASES), 0, 1) for _ in range(2))
        found.append(Entrant(f"team{number}", {"task2": reports.segmentation("task2", dsc, nsd)}))
    return found


def decided(ranking, found):
    return compare_track(ranking, FOMO26.boards, found).prizes


def test_a_list_of_prizes_decides_as_it_did_and_its_digest_is_what_it_was():
    listed = FOMO26.ranking
    assert (listed.prizes, listed.prizes_of_places) == (("500 USD", "300 USD", "200 USD"),) * 2
    assert not listed.shares_within_winners
    assert listed.model_dump(mode="json")["prizes"] == ["500 USD", "300 USD", "200 USD"]
    again = Ranking.model_validate(SHARED.model_dump(mode="json"))
    assert (again, again.prizes_of_places) == (SHARED, ("gold", "silver", "bronze"))
    assert again.shares_within_winners
    assert rule_digest(SHARED, FOMO26.boards) != rule_digest(listed, FOMO26.boards)
    assert "no other one is surely ahead of" in " ".join(explain(SHARED, FOMO26.boards))


def test_winners_share_as_if_they_tied_and_the_others_go_down_their_places():
    places = np.array([1, 2, 3, 4, 5])
    eligible = np.array([True, False, True, True, True])
    winners = np.array([True, False, False, True, False])
    found = awards_of(["gold", "silver", "bronze"], places, eligible, winners)
    shared = "gold + silver, shared by 2 teams"
    assert [award.prize for award in found] == [shared, None, "bronze", shared, None]
    assert [award.eligible_placement for award in found] == [1, None, 2, 3, 4]


def test_prizes_of_places_say_which_places_cannot_be_excluded():
    found = decided(FOMO26.ranking, season())
    assert [(award.team, award.prize) for award in found.awards] == [
        ("team0", "500 USD"),
        ("team1", "300 USD"),
        ("team2", "200 USD"),
    ]
    assert all(award.low <= number <= award.high for number, award in enumerate(found.awards, 1))
    assert found.first == ("team0",)
    assert found.first[0] in found.candidates
    assert found.shared_within is None
    text = " ".join(found.sentences())
    assert "cannot be excluded as first: team0" in text
    assert "team1 wins 300 USD: place" in text


def test_teams_that_may_win_none_are_neither_candidates_nor_counted():
    host = [Entrant(one.team, one.reports, eligible=one.team != "team0") for one in season()]
    found = decided(FOMO26.ranking, host)
    assert [award.team for award in found.awards] == ["team1", "team2", "team3"]
    assert "team0" not in found.candidates
    assert found.first == ("team1",)
    assert all(award.low <= number <= award.high for number, award in enumerate(found.awards, 1))
    assert found.weights is None or found.weights.team != "team0"
    nobody = [Entrant(one.team, one.reports, eligible=False) for one in season()]
    assert decided(FOMO26.ranking, nobody) is None
    assert decided(FOMO26.ranking.model_copy(update={"prizes": ()}), season()) is None


def test_all_that_cannot_be_excluded_as_first_share_the_first_prizes():
    found = decided(SHARED, near())
    assert set(found.candidates) == {"team0", "team1", "team2", "team3"}
    assert {award.prize for award in found.awards} == {"gold + silver + bronze, shared by 4 teams"}
    assert found.shared_within == "winner_set"
    assert not any(award.sure for award in found.awards)


def test_where_nothing_says_how_sure_places_are_shared_prizes_go_to_nobody_and_it_is_said():
    bare = []
    for one in near():
        report = one.reports["task2"]
        metrics = {
            key: metric.model_copy(update={"influence": None, "replicates": ()})
            for key, metric in report.metrics.items()
        }
        bare.append(Entrant(one.team, {"task2": report.model_copy(update={"metrics": metrics})}))
    found = decided(SHARED, bare)
    assert (found.awards, found.candidates, found.cases) == ((), (), None)
    assert "score again" in " ".join(found.sentences())
    plain = decided(FOMO26.ranking, bare)
    assert [(award.prize, award.low) for award in plain.awards] == [
        (f"{sum_} USD", None) for sum_ in (500, 300, 200)
    ]


def test_the_weight_space_is_that_around_the_declared_weights():
    boards = np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0]])
    equal = weight_space(np.array([50.0, 50.0]), boards)  # uniform over the weight of the first
    assert equal == pytest.approx([0.5, 0.5, 0], abs=0.02)
    assert weight_space(np.array([90.0, 10.0]), boards)[0] > 0.85
    assert (weight_space(np.array([1.0, 1.0]), boards) == equal).all()
    assert weight_space(np.array([1.0, 0.0]), boards).tolist() == [1, 0, 0]
    tied = np.array([[1.0, 1.0, np.nan], [np.nan, np.nan, np.nan]])
    assert weight_space(np.array([1.0, 1.0]), tied).tolist() == [1, 1, 0]
    found = compare_track(FOMO26.ranking, FOMO26.boards, season()).weight_space
    assert max(found, key=found.get) == "team0"
    assert sum(found.values()) >= 1


def test_the_decision_names_how_little_would_change_the_first_prize():
    found = decided(FOMO26.ranking, near())
    assert found.cases.team in {"team0", "team1", "team2", "team3"} - set(found.first)
    assert found.cases.subjects == sum(found.cases.by_boards.values())
    assert set(found.cases.by_boards) == {"task2"}
    assert f"without {found.cases.subjects} subject" in " ".join(found.sentences())
    assert found.weights is None  # one board alone: no weights would


def test_the_change_of_weights_names_the_boards_and_where_none_would_do_it_is_said():
    found = [
        Entrant(one.team, {**one.reports, "task2": other.reports["task2"]})
        for one, other in zip(season(), reversed(season()), strict=True)
    ]
    decision = decided(FOMO26.ranking, found)
    change = decision.weights
    assert sum(change.change.values()) == pytest.approx(0)
    assert sum(part for part in change.change.values() if part > 0) == pytest.approx(change.moved)
    assert decision.first == ("team3",), "task2 has more of the weight"
    assert change.change["task1"] > 0 > change.change["task2"]
    moved = f"{change.moved * 100:.1f} %"
    said = f"if more than {moved} of the weight lay on other boards: {moved} more on task1, {moved} less on task2."
    assert said in " ".join(decision.sentences())
    assert not decision.under_any_weights
    ahead = decided(FOMO26.ranking, season())
    assert (ahead.weights, ahead.under_any_weights) == (None, True)
    assert "No weights of the boards would put another eligible team ahead of team0." in ahead.sentences()
    one_board = decided(FOMO26.ranking, near())
    assert not one_board.under_any_weights


def test_a_rival_that_is_left_out_of_a_board_may_be_ahead_under_some_weights():
    boards = np.array([[1.0, 2, 3], [1.0, 2, np.nan]])
    assert nowhere_ahead(boards, 0, [1])
    assert not nowhere_ahead(boards, 0, [1, 2])
    assert not nowhere_ahead(boards[:, ::-1], 1, [2])
    assert not nowhere_ahead(boards, 0, [])
