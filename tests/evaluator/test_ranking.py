import math

import pytest

from evaluator.ranking import RankingError, Row, rank
from evaluator.spec import Board, Ranking

BOARDS = {
    "one": Board.model_validate({"title": "", "task": "t", "metrics": {"auroc": {"metric": "auroc"}}}),
    "two": Board.model_validate(
        {"title": "", "task": "t", "metrics": {"mae": {"metric": "mae"}, "r": {"metric": "pearson"}}}
    ),
}
METRICS = {"auroc": "one", "mae": "two", "r": "two"}


def rule(**changes):
    return Ranking.model_validate({"weights": {"one": 1, "two": 1}, "rerank_boards": False} | changes)


def rows(track="open", baselines=(), ineligible=(), **teams):
    return [
        Row(team, track, METRICS[metric], metric, value, team in baselines, team not in ineligible)
        for team, values in teams.items()
        for metric, value in values.items()
    ]


def ranked(ranking, entries):
    return {one.team: one for one in rank(ranking, BOARDS, entries).tracks["open"]}


def aurocs(ranking, *values):
    teams = {f"t{number}": {"auroc": value} for number, value in enumerate(values)}
    return [one.metric_ranks["one"]["auroc"] for one in ranked(ranking, rows(**teams)).values()]


def test_direction_comes_from_the_metric():
    found = ranked(rule(), rows(a={"mae": 5, "r": 0.9}, b={"mae": 7, "r": 0.1}))
    assert found["a"].metric_ranks["two"] == {"mae": 1, "r": 1}
    assert found["b"].metric_ranks["two"] == {"mae": 2, "r": 2}


@pytest.mark.parametrize(
    ("ties", "expected"), [("min", [1, 2, 2, 4]), ("average", [1, 2.5, 2.5, 4]), ("dense", [1, 2, 2, 3])]
)
def test_ties_share_the_number_that_the_rule_names(ties, expected):
    assert aurocs(rule(ties=ties), 0.9, 0.8, 0.8, 0.7) == expected


def test_values_closer_than_1e_9_are_equal_and_others_are_not():
    assert aurocs(rule(), 0.9, 0.9 - 1e-10) == [1, 1]
    assert aurocs(rule(), 0.9, 0.9 - 1e-8) == [1, 2]


def test_rounding_comes_before_ranking_where_the_rule_says_so():
    assert aurocs(rule(), 0.9004, 0.9) == [1, 2]
    assert aurocs(rule(round=3), 0.9004, 0.9) == [1, 1]


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_a_missing_value_shares_the_place_after_those_with_a_value(nothing):
    found = ranked(
        rule(),
        rows(a={"mae": 5, "r": 0.5}, b={"mae": 6, "r": nothing}, c={"mae": 7}, d={"mae": 8, "r": 0.4}),
    )
    assert {team: one.metric_ranks["two"]["r"] for team, one in found.items()} == {
        "a": 1,
        "b": 3,
        "c": 3,
        "d": 2,
    }


def test_a_missing_board_counts_as_its_worst_place():
    found = ranked(rule(), rows(a={"auroc": 0.9}, b={"auroc": 0.8, "mae": 3, "r": 0.5}))
    assert found["a"].task_ranks == {"one": 1, "two": 2}
    assert found["a"].overall == 1.5


def test_a_missing_board_can_be_left_out_of_the_mean():
    found = ranked(
        rule(missing_board="excluded"), rows(a={"auroc": 0.9}, b={"auroc": 0.8, "mae": 3, "r": 0.5})
    )
    assert found["a"].task_ranks == {"one": 1, "two": None}
    assert found["a"].overall == 1


def test_boards_can_be_ranked_again():
    entries = rows(a={"mae": 1, "r": 0.9}, b={"mae": 2, "r": 0.7}, c={"mae": 3, "r": 0.8}, d={"auroc": 0.5})
    plain, again = ranked(rule(), entries), ranked(rule(rerank_boards=True), entries)
    assert [plain[team].task_ranks["two"] for team in "abcd"] == [1, 2.5, 2.5, 4]
    assert [again[team].task_ranks["two"] for team in "abcd"] == [1, 2, 2, 4]


def test_teams_without_the_board_share_the_place_after_all_others_when_ranked_again():
    entries = rows(a={"mae": 1, "r": 0.9}, b={"auroc": 0.5}, c={"auroc": 0.4})
    found = ranked(rule(rerank_boards=True, ties="average"), entries)
    assert [found[team].task_ranks["two"] for team in "abc"] == [1, 2, 2]


def test_the_weighted_mean_gives_the_places():
    entries = rows(a={"auroc": 0.9, "mae": 9, "r": 0.1}, b={"auroc": 0.8, "mae": 1, "r": 0.2})
    assert [one.team for one in rank(rule(), BOARDS, entries).tracks["open"]] == ["a", "b"]  # equal: by name
    found = ranked(rule(weights={"one": 10, "two": 25}), entries)
    assert found["b"].overall == pytest.approx((10 * 2 + 25 * 1) / 35)
    assert (found["a"].placement, found["b"].placement) == (2, 1)


def test_places_stay_whole_numbers_when_ties_are_averaged():
    found = ranked(rule(ties="average"), rows(a={"auroc": 0.9}, b={"auroc": 0.9}, c={"auroc": 0.1}))
    assert [one.placement for one in found.values()] == [1, 1, 3]


def test_a_baseline_is_shown_without_a_rank_and_moves_nobody():
    found = ranked(rule(), rows(baselines={"base"}, base={"auroc": 0.95}, a={"auroc": 0.9}, b={"auroc": 0.8}))
    assert list(found) == ["a", "b", "base"]
    assert found["a"].placement == 1
    assert found["base"].values["one"]["auroc"] == 0.95
    base = found["base"].to_json()
    assert base["metric_ranks"]["one"] == {"auroc": None}
    assert (base["baseline"], base["overall"], base["placement"]) == (True, None, None)


def test_an_ineligible_team_is_ranked_and_marked():
    found = ranked(rule(), rows(ineligible={"host"}, host={"auroc": 0.95}, a={"auroc": 0.9}))
    assert (found["host"].placement, found["a"].placement) == (1, 2)
    assert found["host"].to_json()["eligible"] is False


def test_tracks_are_ranked_apart():
    entries = rows(a={"auroc": 0.9}) + rows("method", b={"auroc": 0.1}, a={"auroc": 0.05})
    found = rank(rule(), BOARDS, entries).tracks
    assert [(one.team, one.placement) for one in found["open"]] == [("a", 1)]
    assert [(one.team, one.placement) for one in found["method"]] == [("b", 1), ("a", 2)]


def test_a_team_without_any_number_does_not_appear():
    assert list(ranked(rule(), rows(a={"auroc": 0.9}, b={"r": None}))) == ["a"]


def test_order_of_rows_does_not_matter():
    entries = rows(a={"auroc": 0.9, "mae": 3}, b={"auroc": 0.9, "r": 0.1}, c={"mae": 2})
    assert rank(rule(), BOARDS, entries).to_json() == rank(rule(), BOARDS, entries[::-1]).to_json()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            Row("a", "open", "three", "auroc", 1.0, place="scores.csv:7"),
            "scores.csv:7: there is no board 'three'",
        ),
        (Row("a", "open", "one", "mae", 1.0, place="scores.csv:7"), "one has no metric 'mae'"),
        (Row("a", "open", "one", "auroc", 0.5), "twice"),
        (Row("a", "open", "two", "mae", math.inf), "infinite"),
        (Row("a", "open", "two", "mae", 1.0, is_baseline=True), "some rows only"),
    ],
)
def test_rows_that_make_no_sense_are_refused(extra, message):
    with pytest.raises(RankingError, match=message):
        rank(rule(), BOARDS, [*rows(a={"auroc": 0.9}), extra])


def test_weights_that_add_up_to_nothing_are_refused():
    with pytest.raises(RankingError, match="weights"):
        rank(rule(weights={"one": 0, "two": 0}), BOARDS, rows(a={"auroc": 0.9}))
