"""What stands behind places is what a comparison tells, and of many teams what somebody asks for of it."""

from itertools import pairwise

import numpy as np
import pytest

from evaluator.comparison import MOST_WHOLE, Entrant, compare_track, places_behind
from evaluator.spec import Board, Ranking
from tests.evaluator import reports as made

BOARDS = {
    name: Board.model_validate(
        {
            "title": name,
            "task": name,
            "metrics": {key: {"metric": metric} for key, metric in keys.items()},
        }
    )
    for name, keys in (("task1", {"auroc": "auroc"}), ("task2", {"dsc": "dice"}))
}
RANKING = Ranking.model_validate({"weights": {"task1": 60, "task2": 40}})


def entrants(count):
    """Teams of falling quality on two boards; of the dsc alone on the second one."""
    rng = np.random.default_rng(3)
    labels = np.arange(made.CASES) % 2
    found = []
    for number in range(count):
        second = made.segmentation(
            "task2", *np.clip(rng.normal(0.8 - number / 200, 0.1, (2, made.CASES)), 0, 1)
        )
        dsc = {"dsc": second.metrics["dsc"]}
        reports = {
            "task1": made.classification("task1", labels, rng.normal((2 - number / 40) * labels, 1)),
            "task2": second.model_copy(update={"metrics": dsc, "per_case": {"dsc": second.per_case["dsc"]}}),
        }
        found.append(Entrant(f"team{number:03}", reports))
    return found


def test_of_few_teams_it_is_what_the_whole_comparison_tells():
    teams = entrants(5)
    behind, whole = places_behind(RANKING, BOARDS, teams), compare_track(RANKING, BOARDS, teams)
    assert behind.pairs is None
    assert behind.tests == {name: board.tests for name, board in whole.boards.items()}
    assert (behind.leads, behind.datasets) == (whole.leads, whole.datasets)
    assert (behind.leave_one_out, behind.sensitivity) == (whole.leave_one_out, whole.sensitivity)


def test_of_many_teams_the_pairs_that_are_listed_are_corrected_for_all():
    teams = entrants(MOST_WHOLE + 6)
    behind, whole = places_behind(RANKING, BOARDS, teams), compare_track(RANKING, BOARDS, teams)
    count = len(teams)
    assert "first 20" in behind.pairs
    assert behind.leave_one_out == ()
    for name, tests in behind.tests.items():
        for key, found in tests.items():
            every = {pair.teams: pair for pair in whole.boards[name].tests[key].pairs}
            assert found.groups == whole.boards[name].tests[key].groups
            assert all(every[pair.teams] == pair for pair in found.pairs)
            assert 190 <= len(found.pairs) <= 190 + 2 * count < len(every)
            best = [place.team for place in whole.boards[name].teams]
            listed = {frozenset(pair.teams) for pair in found.pairs}
            assert {frozenset(pair) for pair in pairwise(best)} <= listed
            assert {frozenset((best[0], other)) for other in best[1:]} <= listed
    assert {frozenset(lead.teams) for lead in behind.leads} < {frozenset(lead.teams) for lead in whole.leads}


def test_the_places_without_a_board_are_those_of_the_others():
    teams = entrants(6)
    behind = places_behind(RANKING, BOARDS, teams)
    for one in behind.without_board:
        left = {name: board for name, board in BOARDS.items() if name != one.board}
        reports = [
            Entrant(team.team, {name: report for name, report in team.reports.items() if name != one.board})
            for team in teams
        ]
        alone = compare_track(RANKING, left, reports)
        assert one.places == {place.team: place.place for place in alone.overall}
        assert one.tau == pytest.approx(_tau(one.places, behind, teams))
    only = RANKING.model_copy(update={"weights": {"task1": 1, "task2": 0}})
    assert places_behind(only, BOARDS, teams).without_board == ()


def _tau(places, behind, teams):
    from scipy.stats import kendalltau

    whole = {place.team: place.place for place in compare_track(RANKING, BOARDS, teams).overall}
    return kendalltau([places[team.team] for team in teams], [whole[team.team] for team in teams]).statistic
