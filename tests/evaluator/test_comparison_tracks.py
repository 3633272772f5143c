"""A whole track from reports: places with their certainty, tests, exports, and the published schemas."""

import csv
import io
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from evaluator.cli._certainty import print_comparison
from evaluator.comparison import (
    ComparisonFile,
    Entrant,
    challenger_csv,
    compare_track,
    paired_replicates,
    read_entrants,
    rows_of,
    schemas,
    step_down,
)
from evaluator.ranking import RankingError, Table, rank
from evaluator.spec import Bootstrap, load_challenge
from evaluator.terminal import Console
from tests.evaluator import reports

ROOT = Path(__file__).parents[2]
FOMO26 = load_challenge(ROOT / "challenges" / "fomo26" / "challenge.yaml")


@cache
def entrants(teams=4):
    return tuple(Entrant(team, found) for team, found in reports.season(teams).items())


@cache
def compared():
    return compare(entrants())


def compare(found, **changes):
    return compare_track(FOMO26.ranking.model_copy(update=changes), FOMO26.boards, found)


def test_places_come_with_intervals_chances_and_groups():
    found = compared()
    assert found.replicates == reports.RESAMPLES
    assert [one.team for one in found.overall] == ["team0", "team1", "team2", "team3"]
    for one in found.overall:
        assert one.low <= one.alone_low <= one.place <= one.alone_high <= one.high
        assert one.range_low <= one.place <= one.range_high
        assert one.winner == (one.low == 1)
        assert (one.among_three == "surely") == (one.high <= 3)
        assert 0 <= one.first <= one.top3 <= 1
    assert sum(one.first for one in found.overall) >= 1
    assert [one.group for one in found.overall] == sorted(one.group for one in found.overall)
    assert found.overall[0].first > 0.9
    assert set(found.boards) == {"task1", "task2"}
    assert found.stability.mean > 0.8
    assert found.stability.low <= found.stability.high <= 1
    assert found.stability.same_winner > 0.9


def test_places_are_those_of_the_ranking():
    rows = rows_of("open", entrants())
    placed = {one.team: one.placement for one in rank(FOMO26.ranking, FOMO26.boards, rows).tracks["open"]}
    assert {one.team: one.place for one in compared().overall} == placed


def test_means_of_cases_are_permuted_and_auroc_is_delongs():
    boards = compared().boards
    dsc, auroc = boards["task2"].tests["dsc"], boards["task1"].tests["auroc"]
    assert (dsc.test, dsc.units, auroc.test) == ("paired permutation", reports.CASES, "DeLong, t")
    assert len(dsc.pairs) == len(auroc.pairs) == 6
    assert max(pair.adjusted for pair in dsc.pairs) < 0.05
    assert dsc.groups == {"team0": 1, "team1": 2, "team2": 3, "team3": 4}
    assert all(pair.adjusted >= pair.p for pair in auroc.pairs)


def test_each_pair_has_its_difference_with_an_interval_and_its_p_over_the_metric_and_the_track():
    boards = compared().boards
    every = [tests for board in boards.values() for tests in board.tests.values()]
    p = np.array([pair.p for tests in every for pair in tests.pairs])
    in_track = [pair.adjusted_in_track for tests in every for pair in tests.pairs]
    assert in_track == pytest.approx(step_down(p))
    for tests in every:
        assert [pair.adjusted for pair in tests.pairs] == pytest.approx(
            step_down(np.array([pair.p for pair in tests.pairs]))
        )
        for pair in tests.pairs:
            assert pair.p <= pair.adjusted <= pair.adjusted_in_track
            assert pair.low < pair.effect < pair.high
            assert pair.effect == pytest.approx(pair.difference)
            turned = pair.turned()
            assert (turned.low, turned.high) == (-pair.high, -pair.low)
            assert turned.turned() == pair
    for pair in boards["task2"].tests["dsc"].pairs:
        assert pair.superiority_low <= pair.superiority <= pair.superiority_high
    assert {pair.superiority for pair in boards["task1"].tests["auroc"].pairs} == {None}


def test_the_lead_of_a_pair_is_not_below_0_just_where_the_sets_of_places_are_sure_of_it():
    found = compared()
    places = {one.team: one for one in found.overall}
    assert len(found.leads) == 6
    assert found.leads[0].teams == ("team0", "team1")
    behind = dict.fromkeys(places, 0)
    for lead in found.leads:
        assert lead.low <= lead.lead <= lead.high
        behind[lead.teams[1]] += lead.low >= 0
    assert {team: 1 + count for team, count in behind.items()} == {
        team: one.low for team, one in places.items()
    }
    assert sum(behind.values()) > 0
    for lead in compare(entrants()[:2]).leads:
        assert lead.high == 1 < 2 * lead.lead - lead.low, "the mean ranks of two teams differ by 1 at most"
    alone = [Entrant(one.team, {"task1": one.reports["task1"]}) for one in entrants()]
    by_value = compare(alone)
    assert {(lead.low, lead.high) for lead in by_value.leads} == {(None, None)}
    assert all(place.low is not None for place in by_value.overall)


def test_values_per_case_without_influence_have_intervals_of_their_means_all_the_same():
    def older(report):
        bare = {key: one.model_copy(update={"influence": ()}) for key, one in report.metrics.items()}
        return report.model_copy(update={"metrics": bare})

    season = {team: found["task2"] for team, found in reports.season(3).items()}
    new = compare([Entrant(team, {"task2": one}) for team, one in season.items()])
    old = compare([Entrant(team, {"task2": older(one)}) for team, one in season.items()])
    assert old.boards["task2"].tests == new.boards["task2"].tests


def test_many_teams_and_subjects_with_several_cases_get_the_paired_t_test():
    paired = {}
    for one in entrants(2):
        report = one.reports["task2"]
        sums = np.array(report.metrics["dsc"].influence).reshape(-1, 2).sum(axis=1)  # two sessions a subject
        metrics = {
            key: metric.model_copy(update={"influence": tuple(sums.tolist())})
            for key, metric in report.metrics.items()
        }
        paired[one.team] = Entrant(one.team, {"task2": report.model_copy(update={"metrics": metrics})})
    tests = compare(list(paired.values())).boards["task2"].tests["dsc"]
    assert (tests.test, tests.units) == ("paired t", reports.CASES // 2)
    assert tests.pairs[0].low is not None
    assert tests.pairs[0].superiority is not None
    assert tests.pairs[0].superiority_low is tests.pairs[0].superiority_high is None
    sessions = [
        np.array(one.reports["task2"].per_case["dsc"]).reshape(-1, 2).mean(axis=1) for one in entrants(2)
    ]
    expected = stats.ttest_rel(*sessions).pvalue  # of the subjects' means; the variance's n/(n − 1) differs
    assert np.log(tests.pairs[0].p) == pytest.approx(np.log(expected), rel=0.05)


def test_the_same_datasets_give_the_same_answer_and_team_order_none():
    assert compare(entrants()) == compared()
    turned = compare(entrants()[::-1])
    assert turned.overall == compared().overall
    assert turned.boards == compared().boards


def test_equal_teams_tie_and_share_a_group():
    season = reports.season(2)
    twins = [Entrant("a", season["team0"]), Entrant("b", season["team0"]), Entrant("c", season["team1"])]
    first, second, third = compare(twins).overall
    assert (first.place, second.place, third.place) == (1, 1, 3)
    assert first.group == second.group
    assert first.model_dump(exclude={"team"}) == second.model_dump(exclude={"team"})


def test_a_team_without_a_board_or_value_is_last_there_in_every_replicate():
    season = reports.season(3)
    without = [Entrant(team, dict(found)) for team, found in season.items()]
    del without[0].reports["task2"]
    found = compare(without)
    assert [one.team for one in found.boards["task2"].teams] == ["team1", "team2"]
    assert {one.team for one in found.overall} == set(season)
    rejected = season["team0"]["task2"].model_copy(update={"rejected": "Every case failed."})
    again = compare([Entrant("team0", season["team0"] | {"task2": rejected}), *without[1:]])
    assert again.overall == found.overall


def test_a_value_without_replicates_stays_fixed_and_the_notes_say_so():
    fixed = []
    for one in entrants(2):
        report = one.reports["task2"]
        metrics = report.metrics | {"nsd": report.metrics["nsd"].model_copy(update={"replicates": ()})}
        fixed.append(Entrant(one.team, {"task2": report.model_copy(update={"metrics": metrics})}))
    assert any("NSD of task2" in note for note in compare(fixed).notes)
    table = Table.of(FOMO26.boards, rows_of("", fixed))
    number = [column.key for column in table.columns].index(("task2", "nsd"))
    drawn = paired_replicates(table, fixed).values[:, number]
    assert (drawn == table.values[number]).all()


def test_a_baseline_takes_no_part():
    base = Entrant("base", entrants()[0].reports, baseline=True)
    assert compare([*entrants(), base]).overall == compared().overall


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ({"method": "rank_then_mean"}, "paired permutation of ranks"),
        ({"per_case": "median"}, "Wilcoxon signed rank"),
        ({"method": "test_then_rank"}, "Wilcoxon signed rank"),
    ],
)
def test_rules_over_cases_resample_and_test_what_they_rank(changes, test):
    found = compare(entrants(), **changes)
    assert found.overall[0].team == "team0"
    assert any("as if each were its own subject" in note for note in found.notes)
    assert any("method: mean_then_rank" in one.change for one in found.sensitivity)
    tests = found.boards["task2"].tests["dsc"]
    assert tests.test == test
    assert tests.groups["team0"] == 1
    assert found.boards["task1"].tests["auroc"].test == "DeLong, t"


def test_reports_of_different_datasets_are_refused():
    other = reports.season(1)["team0"]["task2"].model_copy(update={"extras": reports.Extras(dataset="other")})
    with pytest.raises(
        RankingError, match="another dataset than the others; score all teams with one manifest"
    ):
        compare([*entrants(2), Entrant("late", {"task2": other})])
    with pytest.raises(RankingError, match="nothing to compare"):
        compare([])


def test_challenger_reads_one_value_per_task_algorithm_and_case():
    text = challenger_csv(FOMO26, entrants(), small_better=False)
    rows = list(csv.DictReader(io.StringIO(text)))
    keys = {(row["task"], row["algorithm"], row["case"]) for row in rows}
    assert len(rows) == len(keys) == 2 * 4 * reports.CASES  # every team has every case of every task
    assert {row["task"] for row in rows} == {"task2_dsc", "task2_nsd"}
    assert "sub-0" not in text
    first = next(row for row in rows if row["algorithm"] == "team0" and row["case"] == "case1")
    assert float(first["value"]) == entrants()[0].reports["task2"].per_case["dsc"][0]
    assert challenger_csv(FOMO26, entrants(), small_better=True) is None


def test_challenger_gets_na_where_nothing_was_scored():
    without = [Entrant("a", entrants()[0].reports), Entrant("b", {"task1": entrants()[1].reports["task1"]})]
    rows = list(csv.DictReader(io.StringIO(challenger_csv(FOMO26, without, small_better=False))))
    assert {row["value"] for row in rows if row["algorithm"] == "b"} == {"NA"}


def test_reports_are_read_by_team_track_and_board(tmp_path):
    reports.write(tmp_path, "open", **reports.season(2))
    reports.write(tmp_path, "method", team1=reports.season(2)["team1"])
    (tmp_path / "teams.csv").write_text("team,is_baseline,eligible\nteam0,0,0\n")
    found = read_entrants(FOMO26, tmp_path)
    assert {track: [one.team for one in teams] for track, teams in found.items()} == {
        "method": ["team1"],
        "open": ["team0", "team1"],
    }
    assert [one.eligible for one in found["open"]] == [False, True]
    assert found["open"][0].reports == reports.season(2)["team0"]


def test_of_several_attempts_the_latest_valid_one_counts_task_by_task(tmp_path):
    season = reports.season(3)
    reports.write(tmp_path, "open/2", a=season["team0"])
    reports.write(tmp_path, "open/10", a={"task2": season["team1"]["task2"]})
    reports.write(
        tmp_path, "open/11", a={"task2": season["team2"]["task2"].model_copy(update={"rejected": "No."})}
    )
    (one,) = read_entrants(FOMO26, tmp_path)["open"]
    assert one.reports == {"task1": season["team0"]["task1"], "task2": season["team1"]["task2"]}


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("a/closed/task1.json", "{}", "a: there is no track 'closed'"),
        ("a/open/task9.json", "{}", "a/open/task9.json: there is no board 'task9'"),
        ("a/open/2/task9.json", "{}", "a/open/2/task9.json: there is no board 'task9'"),
        ("a/open/task1.json", "{}", "open/task1.json: not a report"),
        ("a/open/task1.json", reports.season(1)["team0"]["task2"].model_dump_json(), "the report of task2"),
        ("teams.csv", "team\n", "no reports; they are expected at"),
        (
            "a/open/task1.json",
            reports.season(1)["team0"]["task1"].model_dump_json().replace('"low":null', '"low":0.1', 1),
            "an interval has both bounds or none",
        ),
        ("a/task1.json", "{}", "a/task1.json: no report is looked for here"),
        ("a/open/task1.JSON", "{}", "a/open/task1.JSON: no report is looked for here"),
        ("a/open/2/old/task1.json", "{}", "a/open/2/old/task1.json: no report is looked for here"),
        ("a/open/readme.txt", "", "a: holds no report"),
        ("a\x1b[2J/open/task1.json", "{}", "characters that cannot be printed"),
        ("a\u202eb/open/task1.json", "{}", "characters that cannot be printed"),
    ],
)
def test_what_is_no_report_is_named(tmp_path, path, text, message):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    with pytest.raises(RankingError, match=message):
        read_entrants(FOMO26, tmp_path)


def test_folders_may_be_links(tmp_path):
    reports.write(tmp_path / "elsewhere", "open", a=reports.season(1)["team0"])
    (tmp_path / "reports" / "a").mkdir(parents=True)
    (tmp_path / "reports" / "a" / "open").symlink_to(tmp_path / "elsewhere" / "a" / "open")
    (one,) = read_entrants(FOMO26, tmp_path / "reports")["open"]
    assert one.reports == reports.season(1)["team0"]


def test_a_report_with_a_value_outside_its_metrics_range_is_refused(tmp_path):
    one = reports.season(1)["team0"]["task1"]
    seven = one.metrics["auroc"].model_copy(update={"value": 7.0})
    reports.write(tmp_path, a={"task1": one.model_copy(update={"metrics": {"auroc": seven}})})
    with pytest.raises(RankingError, match=r"open/task1.json: auroc of task1 is 7, and auroc lies in 0 to 1"):
        read_entrants(FOMO26, tmp_path)


def test_reports_of_one_board_with_different_numbers_of_resamples_are_refused():
    first, *others = entrants()
    report = first.reports["task1"]
    short = report.metrics["auroc"].model_copy(update={"replicates": report.metrics["auroc"].replicates[:1]})
    cut = {**first.reports, "task1": report.model_copy(update={"metrics": {"auroc": short}})}
    with pytest.raises(RankingError, match="task1 has another number of resamples than the others"):
        compare([Entrant(first.team, cut), *others])


def test_reports_of_one_board_with_different_bootstraps_are_refused():
    def drawn(entrant, **changes):
        report = entrant.reports["task1"]
        extras = report.extras.model_copy(update={"bootstrap": Bootstrap(resamples=200, **changes)})
        return Entrant(entrant.team, {"task1": report.model_copy(update={"extras": extras})})

    first, second, *older = entrants()
    assert compare([drawn(first), drawn(second), *older]).replicates == 200
    for changes, told in (
        ({"level": 0.9}, "level 0.9 instead of 0.95"),
        ({"unit": "case"}, "unit case instead of subject"),
        ({"strata": ("site",)}, r"strata \['site'\] instead of \['site', 'class'\]"),
    ):
        match = (
            rf"{second.team}: the report of task1 was made with another bootstrap than the others \({told}\)"
        )
        with pytest.raises(RankingError, match=match):
            compare([drawn(first), drawn(second, **changes), *older])


def test_reports_whose_cases_were_drawn_by_another_version_are_refused():
    first, second, *others = entrants()
    report = second.reports["task1"]
    other = report.model_copy(update={"extras": report.extras.model_copy(update={"draws": 2})})
    with pytest.raises(
        RankingError, match=f"{second.team}: the cases of the report of task1 were drawn by another"
    ):
        compare([first, Entrant(second.team, {**second.reports, "task1": other}), *others])


def test_the_published_schemas_are_up_to_date():
    for name, schema in schemas().items():
        stored = json.loads((ROOT / "docs" / "schemas" / name).read_text())
        assert stored == schema, "write them again: python -m evaluator.comparison docs/schemas"


def test_a_comparison_survives_its_file():
    found = {"rule": {"digest": "sha256:0", "sentences": ()}, "tracks": {"open": compared()}}
    file = ComparisonFile.model_validate(found)
    assert ComparisonFile.model_validate_json(file.model_dump_json()) == file


def test_any_name_of_a_folder_is_read_in_order_or_refused_in_words(tmp_path):
    named = ["10", "2", "²", "5²", "m²", "m10", "m9", "٣"]
    for folder in named:
        one = tmp_path / folder / "open"
        one.mkdir(parents=True)
        (one / "task1.json").write_text(entrants()[0].reports["task1"].model_dump_json())
    found = [one.team for one in read_entrants(FOMO26, tmp_path)["open"]]
    assert sorted(found) == sorted(named)
    assert found.index("2") < found.index("10")
    assert found.index("m9") < found.index("m10")
    (tmp_path / os.fsdecode(b"m\xff")).mkdir()
    with pytest.raises(RankingError, match="is not UTF-8"):
        read_entrants(FOMO26, tmp_path)


def test_without_replicates_there_are_places_and_a_note_but_no_groups():
    fixed = [
        Entrant(
            one.team,
            {
                name: report.model_copy(
                    update={
                        "metrics": {
                            key: found.model_copy(
                                update={"low": None, "high": None, "replicates": (), "influence": None}
                            )
                            for key, found in report.metrics.items()
                        }
                    }
                )
                for name, report in one.reports.items()
            },
        )
        for one in entrants()
    ]
    found = compare(fixed)
    shown = [*found.overall, *(place for board in found.boards.values() for place in board.teams)]
    assert all(one.low is None and one.group is None and one.first is None for one in shown)
    assert any("two subjects in some stratum" in note for note in found.notes)


def test_twins_tie_and_groups_name_their_teams_by_value():
    twins = [entrants()[0], entrants()[1], Entrant("a twin", entrants()[1].reports)]
    found = compare(twins)
    lead = next(one for one in found.leads if set(one.teams) == {"team1", "a twin"})
    assert (lead.tie, lead.low, lead.high) == (True, 0, 0)
    assert not found.leads[0].tie
    told = Console(file=io.StringIO(), width=200)
    print_comparison(told, FOMO26.boards, "open", compare(twins[1:]))
    assert "a twin and team1 tie in mean rank, whatever the test cases." in told.file.getvalue()
    tests = compare(
        [Entrant(f"z{one.team}" if one.team == "team0" else one.team, one.reports) for one in entrants()]
    )
    groups = tests.boards["task2"].tests["dsc"].groups
    assert list(groups) == ["zteam0", "team1", "team2", "team3"]
    assert list(groups.values()) == sorted(groups.values())
