"""Rules over single cases, prizes, entries, and the rule in words."""

import re

import numpy as np
import pytest

from evaluator.ranking import (
    RankingError,
    Row,
    aggregate_resamples,
    choose_entry,
    explain,
    rank,
    read_rows,
    read_teams,
    rule_digest,
)
from evaluator.spec import Board, Ranking

BOARDS = {
    "seg": Board.model_validate(
        {"title": "", "task": "t", "metrics": {"dsc": {"metric": "dice", "labels": [1]}}}
    ),
    "age": Board.model_validate({"title": "", "task": "a", "metrics": {"mae": {"metric": "mae"}}}),
}


def rule(**changes):
    return Ranking.model_validate({"weights": {"seg": 1, "age": 0}, "rerank_boards": False} | changes)


def dsc(team, *cases, **marks):
    known = [one for one in cases if one is not None]
    return Row(team, "open", "seg", "dsc", float(np.mean(known)), per_case=cases, **marks)


def places(ranking, *rows):
    return {one.team: one.placement for one in rank(ranking, BOARDS, rows).tracks["open"]}


STEADY, LUCKY = dsc("steady", 0.5, 0.5, 0.5), dsc("lucky", 1.0, 0.45, 0.45)


def test_mean_median_and_rank_then_mean_may_name_different_winners():
    assert places(rule(), STEADY, LUCKY) == {"lucky": 1, "steady": 2}
    assert places(rule(per_case="median"), STEADY, LUCKY) == {"steady": 1, "lucky": 2}
    assert places(rule(method="rank_then_mean"), STEADY, LUCKY) == {"steady": 1, "lucky": 2}


def test_per_case_ties_are_shared_as_the_rule_says():
    rows = dsc("a", 0.9, 0.5), dsc("b", 0.9, 0.5), dsc("c", 0.1, 0.6)
    assert places(rule(method="rank_then_mean", ties="min"), *rows) == {"a": 1, "b": 1, "c": 3}
    # a, b: (1.5 + 2.5) / 2 = 2; c: (3 + 1) / 2 = 2
    assert places(rule(method="rank_then_mean", ties="average"), *rows) == {"a": 1, "b": 1, "c": 1}


def test_precision_comes_before_the_ranks_of_a_case():
    rows = dsc("a", 0.901, 0.2), dsc("b", 0.899, 0.3)
    assert places(rule(method="rank_then_mean"), *rows) == {"a": 1, "b": 1}
    assert places(rule(method="rank_then_mean", round=2), *rows) == {"b": 1, "a": 2}


def test_an_undefined_case_is_last_in_that_case_and_a_team_without_the_board_is_in_none():
    rows = dsc("a", 0.2, 0.2), dsc("b", None, 0.1), Row("c", "open", "age", "mae", 5.0)
    found = rank(rule(method="rank_then_mean"), BOARDS, rows).tracks["open"]
    assert {one.team: one.metric_ranks["seg"]["dsc"] for one in found} == {"a": 1, "b": 2, "c": 3}


def test_metrics_of_whole_datasets_are_ranked_by_value_under_every_rule():
    rows = (
        *(dsc(team, 0.5, 0.5) for team in "ab"),
        Row("a", "open", "age", "mae", 5.0),
        Row("b", "open", "age", "mae", 4.0),
    )
    assert places(rule(method="rank_then_mean", weights={"seg": 1, "age": 1}), *rows) == {"b": 1, "a": 2}


@pytest.mark.parametrize("changes", [{"method": "rank_then_mean"}, {"per_case": "median"}])
def test_a_rule_over_cases_refuses_scores_without_them(changes):
    with pytest.raises(RankingError, match="needs the values of single cases"):
        places(rule(**changes), STEADY, Row("b", "open", "seg", "dsc", 0.4))


def test_teams_with_different_numbers_of_cases_are_refused():
    with pytest.raises(RankingError, match="different numbers of cases"):
        places(rule(per_case="median"), STEADY, dsc("b", 0.5))


def test_medians_and_means_are_rounded_and_mean_ranks_are_not():
    rows = dsc("a", 0.51, 0.9, 0.1), dsc("b", 0.49, 0.9, 0.1)
    assert places(rule(per_case="median", round=1), *rows) == {"a": 1, "b": 1}
    thirds = dsc("a", 0.9, 0.9, 0.1), dsc("b", 0.1, 0.1, 0.9)  # mean ranks 4/3 and 5/3
    assert places(rule(method="rank_then_mean", round=0), *thirds) == {"a": 1, "b": 2}
    terms, counts = np.array([[0.26, 0.9]]), np.array([[1.0, 1.0]])
    assert aggregate_resamples(rule(round=1), terms, counts).tolist() == [[0.6]]
    assert aggregate_resamples(rule(round=1, per_case="median"), terms, counts).tolist() == [[0.6]]
    ranks = aggregate_resamples(rule(round=1, method="rank_then_mean"), terms, counts)
    assert ranks.tolist() == [[pytest.approx(0.58)]]


def test_a_board_without_a_weight_counts_nothing():
    rows = (
        *(dsc(team, value) for team, value in (("a", 0.9), ("b", 0.8))),
        Row("b", "open", "age", "mae", 1.0),
    )
    found = rank(rule(weights={"seg": 1}), BOARDS, rows).tracks["open"]
    assert [one.overall for one in found] == [1, 2]


@pytest.mark.parametrize("undefined", [slice(0, 0), slice(2, 5)])
@pytest.mark.parametrize("changes", [{}, {"per_case": "median"}])
def test_aggregates_of_resamples_are_those_of_the_repeated_cases(changes, undefined):
    rng = np.random.default_rng(3)
    terms = rng.integers(0, 6, (4, 9)) / 6
    terms[1, undefined] = np.nan
    counts = rng.multinomial(9, np.full(9, 1 / 9), size=40).astype(float)
    found = aggregate_resamples(rule(**changes), terms, counts)
    statistic = np.nanmedian if changes else np.nanmean
    for row, drawn in zip(found, counts, strict=True):
        repeated = np.repeat(terms, drawn.astype(int), axis=1)
        assert row == pytest.approx(statistic(repeated, axis=1), abs=1e-12)


@pytest.mark.parametrize("changes", [{}, {"per_case": "median"}, {"method": "rank_then_mean"}])
def test_a_resample_of_undefined_cases_alone_is_undefined(changes):
    terms, counts = np.array([[np.nan, 0.5], [0.25, 0.5]]), np.array([[2.0, 0.0]])
    found = aggregate_resamples(rule(**changes), terms, counts)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == 0.25


def test_ranks_per_case_are_averaged_also_where_values_would_take_the_median():
    rows = (
        dsc("a", 0.9, 0.9, 0.1),
        dsc("b", 0.8, 0.8, 0.9),
        dsc("c", 0.7, 0.7, 0.8),
    )  # ranks 1 1 3, 2 2 1, 3 3 2
    assert places(rule(method="rank_then_mean", per_case="median"), *rows) == {"a": 1, "b": 1, "c": 3}


def prizes(*rows):
    ranked = rank(rule(prizes=["gold", "silver", "bronze"]), BOARDS, rows).tracks["open"]
    return {one.team: one.prize for one in ranked}


def test_prizes_skip_teams_that_may_win_none_and_baselines():
    rows = (
        dsc("host", 0.9, eligible=False),
        dsc("base", 0.8, is_baseline=True),
        dsc("a", 0.7),
        dsc("b", 0.6),
    )
    assert prizes(*rows) == {"host": None, "base": None, "a": "gold", "b": "silver"}


def test_teams_that_tie_share_the_prizes_of_their_places():
    rows = dsc("a", 0.7), dsc("b", 0.7), dsc("c", 0.6), dsc("d", 0.5)
    shared = "gold + silver, shared by 2 teams"
    assert prizes(*rows) == {"a": shared, "b": shared, "c": "bronze", "d": None}


def test_the_entry_that_counts():
    board = BOARDS["age"].model_copy(update={"primary": "mae"})
    attempts = [{("age", "mae"): value} for value in (5.0, 3.0, None, 3.0, 4.0)]
    assert choose_entry(rule(entry="latest"), {"age": board}, attempts) == 4
    assert choose_entry(rule(entry="best"), {"age": board}, attempts) == 1
    assert (
        choose_entry(rule(entry="best"), BOARDS, [{("seg", "dsc"): value} for value in (0.1, 0.3, 0.2)]) == 1
    )
    with pytest.raises(ValueError, match="no attempt"):
        choose_entry(rule(), {"age": board}, [])


def test_the_digest_changes_with_everything_that_decides_places():
    board = {"title": "", "task": "t", "metrics": {"dsc": {"metric": "dice", "labels": [2]}}}
    digests = [
        rule_digest(rule(), BOARDS),
        rule_digest(rule(ties="dense"), BOARDS),
        rule_digest(rule(weights={"seg": 2, "age": 0}), BOARDS),
        rule_digest(rule(), BOARDS | {"seg": Board.model_validate(board)}),
    ]
    assert len(set(digests)) == len(digests)
    assert rule_digest(rule(), dict(BOARDS)) == digests[0]
    titled = {name: one.model_copy(update={"title": "Another"}) for name, one in BOARDS.items()}
    assert rule_digest(rule(), titled) == digests[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "the mean over the cases"),
        ({"per_case": "median"}, "the median over the cases"),
        ({"method": "rank_then_mean"}, "the teams are ranked in every case"),
        ({"ties": "dense"}, "no place is left out after them"),
        ({"round": 3}, "rounded to 3 decimals"),
        ({"rerank_boards": True}, "ranked again within the board"),
        ({"missing_board": "excluded"}, "a missing board is left out of the team's mean"),
        ({"entry": "best"}, "best valid attempt"),
        ({"prizes": ["a cup"]}, "1. a cup"),
        ({}, "are ranked (higher is better, but for mae of age);"),
    ],
)
def test_the_rule_is_told_in_sentences(changes, sentence):
    assert any(sentence in one for one in explain(rule(**changes), BOARDS))


def test_teams_are_marked_by_a_file(tmp_path):
    path = tmp_path / "teams.csv"
    assert read_teams(path) == {}
    path.write_text("team,is_baseline,eligible\nbase,1,\nhost,0,no\n")
    assert read_teams(path) == {"base": (True, True), "host": (False, False)}
    path.write_text("name\nbase\n")
    with pytest.raises(RankingError, match=r"teams.csv:1: no column team"):
        read_teams(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("team,elligible\nhost,0\n", "teams.csv:1: no column is called 'elligible'"),
        ("team,eligible,eligible\nhost,0,1\n", "teams.csv:1: two columns are called 'eligible'"),
        ("team,eligible\nhost,0\n host ,1\n", "teams.csv:3: 'host' stands here a second time"),
        ("team,eligible\nhots,0\n", "teams.csv:2: there is no team 'hots'"),
        ("team,eligible\n,0\n", "teams.csv:2: team is empty"),
        ("team,eligible\nhost\n", "teams.csv:2: the row does not have as many cells"),
        ("team,eligible\nhost,0,1\n", "teams.csv:2: more cells than columns"),
        ('team,eligible\n"host,0\nbase,1\n', "teams.csv:3: not valid CSV"),
        ('"team,eligible\nhost,0\n', "teams.csv:2: not valid CSV"),
        ("team,eligible\nhost," + "0" * 200_000, "teams.csv:2: not valid CSV"),
        (
            "team,eligible\nhost,maybe\n",
            "teams.csv:2: eligible 'maybe' is no yes or no; write 1, yes or true, or 0",
        ),
        (b"team,eligible\nh\xf6st,0\n", "teams.csv: the byte 0xf6 in line 2 is no UTF-8"),
    ],
)
def test_no_mark_of_a_team_is_lost_in_silence(tmp_path, text, message):
    path = tmp_path / "teams.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RankingError, match=re.escape(message)):
        read_teams(path, ["base", "host"])


def test_names_and_columns_of_the_teams_file_may_stand_between_spaces(tmp_path):
    path = tmp_path / "teams.csv"
    path.write_text("team , eligible\n host , 0\n\n")
    assert read_teams(path, ["base", "host"]) == {"host": (False, False)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("team,track,task,metric,value,value\n", "s.csv:1: two columns are called 'value'"),
        ('"team,track,task,metric,value\n', "s.csv:1: not valid CSV"),
        ("team,track,task,metric,value,Is Baseline\n", "s.csv:1: the column 'Is Baseline' is written is_bas"),
        ("team,track,task,metric,value\na,open,task1,auroc\n", "s.csv:2: the row does not have as many"),
        ("team,track,task,metric,value\na,open,task1,auroc,1_0\n", "s.csv:2: value '1_0' is not a number"),
        ("team,track,task,metric,value\na,open,task1,auroc,١\n", "s.csv:2: value '١' is not a number"),
    ],
)
def test_scores_that_could_be_misread_are_refused(tmp_path, text, message):
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RankingError, match=re.escape(message)):
        read_rows(path, ["open"])


def test_a_value_too_huge_to_be_rounded_is_a_value_like_any_other():
    rows = [Row(team, "open", "age", "mae", value) for team, value in (("a", 5.04), ("b", 1e308), ("c", 9.0))]
    missing = Row("d", "open", "seg", "dsc", 0.5)
    ranking = rule(weights={"seg": 0, "age": 1}, round=1)
    assert places(ranking, *rows, missing) == {"a": 1, "c": 2, "b": 3, "d": 4}


def test_a_team_of_which_no_board_counts_wins_nothing():
    rows = [dsc("a", 0.5), Row("b", "open", "age", "mae", 1.0)]
    ranking = rule(missing_board="excluded", prizes=["gold", "silver"])
    found = {one.team: one for one in rank(ranking, BOARDS, rows).tracks["open"]}
    assert (found["a"].prize, found["b"].placement, found["b"].overall, found["b"].prize) == (
        "gold",
        2,
        None,
        None,
    )


@pytest.mark.parametrize("missing", ["worst", "excluded"])
@pytest.mark.parametrize("again", [True, False])
def test_a_board_or_a_metric_that_nobody_has_counts_for_nobody(missing, again):
    ranking = rule(weights={"seg": 1, "age": 9}, missing_board=missing, rerank_boards=again)
    boards = BOARDS | {
        "seg": Board.model_validate(
            {
                "title": "",
                "task": "t",
                "metrics": {
                    "dsc": {"metric": "dice", "labels": [1]},
                    "f1": {"metric": "lesion_f1", "labels": [1]},
                },
            }
        )
    }
    rows = dsc("a", 0.9), dsc("b", 0.8), Row("baseline", "open", "age", "mae", 5.0, is_baseline=True)
    first, second, _ = rank(ranking, boards, rows).tracks["open"]
    assert (first.overall, second.overall) == (1, 2), "nine empty weights do not draw them together"
    assert first.task_ranks == {"seg": 1, "age": None}
    assert first.metric_ranks == {"seg": {"dsc": 1, "f1": None}, "age": {"mae": None}}


def test_rows_that_say_why_they_are_not_ranked_are_left_out(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(
        "team,track,task,metric,value,unranked\na,open,age,mae,5,\na,open,age,mae,4,scored otherwise: dataset\n"
    )
    assert [(one.team, one.value) for one in read_rows(path, ["open"])] == [("a", 5)]
    path.write_text("team,track,task,metric,value,Unranked\na,open,age,mae,5,disqualified\n")
    with pytest.raises(RankingError, match="'Unranked' is written unranked"):
        read_rows(path, ["open"])


def marks(*rows, **changes):
    ranked = rank(rule(prizes=["gold"], **changes), BOARDS, rows).tracks["open"]
    return {one.team: (one.eligible_placement, one.first, one.first_on) for one in ranked}


def test_places_among_the_eligible_skip_whoever_may_win_nothing():
    rows = dsc("host", 0.9, eligible=False), dsc("base", 0.8, is_baseline=True), dsc("a", 0.7), dsc("b", 0.7)
    assert {team: place for team, (place, *_) in marks(*rows).items()} == {
        "host": None,
        "base": None,
        "a": 1,
        "b": 1,
    }


def test_nobody_leads_where_one_of_the_first_may_win_no_prize():
    tied = marks(dsc("a", 0.9), dsc("b", 0.9), dsc("c", 0.1))
    assert [tied[team][1] for team in "abc"] == [True, True, False]
    assert [len(tied[team][2]) for team in "abc"] == [1, 1, 0]
    shared = marks(dsc("a", 0.9), dsc("host", 0.9, eligible=False), dsc("c", 0.1))
    assert not any(first or first_on for _, first, first_on in shared.values())
    alone = marks(dsc("base", 0.99, is_baseline=True), dsc("a", 0.9))
    assert (alone["base"][1:], alone["a"][1]) == ((False, ()), True)
