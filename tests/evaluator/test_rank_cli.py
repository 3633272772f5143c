import csv
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.comparison import ComparisonFile, RankFile
from tests.evaluator import reports

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "tests" / "data" / "fomo25_open_track.csv"


def run(*arguments, challenge="fomo25"):
    file = ROOT / "challenges" / challenge / "challenge.yaml"
    return CliRunner().invoke(app, ["rank", "--challenge", str(file), *map(str, arguments)])


def ranked(tmp_path, text, *arguments, **options):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    return run("--scores", path, *arguments, **options)


def test_the_published_open_track_of_fomo25_is_reproduced_exactly():
    found = run("--scores", PUBLISHED, "--json")
    assert found.exit_code == 0, found.stderr
    teams = {one["team"]: one for one in json.loads(found.stdout)["tracks"]["open"]}
    with PUBLISHED.open() as file:
        rows = list(csv.DictReader(file))
    assert len(teams) == len({row["team"] for row in rows}) == 9
    for row in rows:
        one, decimals = teams[row["team"]], len(row["overall_rank"].partition(".")[2])
        assert one["task_ranks"][row["task"]] == float(row["task_rank"])
        assert f"{one['overall']:.{decimals}f}" == row["overall_rank"]
        assert one["placement"] == int(row["placement"])


def test_the_module_is_a_command():
    command = [sys.executable, "-m", "evaluator", "rank", "--challenge", "challenges/fomo25/challenge.yaml"]
    found = subprocess.run(
        [*command, "--scores", PUBLISHED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "LatentCampus" in found.stdout


def test_the_table_names_teams_places_and_values():
    found = run("--scores", PUBLISHED)
    assert found.exit_code == 0
    assert "open track" in found.stdout
    assert "LatentCampus" in found.stdout
    assert "0.275 / 0.243" in found.stdout


def test_a_baseline_is_listed_without_a_place(tmp_path):
    text = "team,track,task,metric,value,is_baseline\nb,open,task1,auroc,0.9,1\na,open,task1,auroc,0.5,0\n"
    found = ranked(tmp_path, text, "--json")
    first, last = json.loads(found.stdout)["tracks"]["open"]
    assert (first["team"], first["placement"], last["team"], last["placement"]) == ("a", 1, "b", None)
    assert "b (baseline)" in ranked(tmp_path, text).stdout


NFC, NFD = (unicodedata.normalize(form, "Zürich") for form in ("NFC", "NFD"))


def test_one_team_name_in_composed_and_decomposed_characters_is_one_team(tmp_path):
    rows = f"{NFC},open,task1,auroc,0.9\n{NFD},open,task2,dsc,0.5\n"
    found = ranked(tmp_path, "team,track,task,metric,value\n" + rows, "--json")
    assert found.exit_code == 0, found.stderr
    (one,) = json.loads(found.stdout)["tracks"]["open"]
    assert one["team"] == NFC
    twice = ranked(
        tmp_path, f"team,track,task,metric,value\n{NFC},open,task1,auroc,0.9\n{NFD},open,task1,auroc,0.8\n"
    )
    assert twice.exit_code == 1
    assert "scores.csv:3" in twice.stderr
    assert "twice" in twice.stderr


def test_directories_of_one_team_in_two_spellings_are_refused_and_marks_find_theirs(tmp_path):
    season = reports.season(teams=2)
    reports.write(tmp_path, **{NFD: season["team0"], "b": season["team1"]})
    (tmp_path / "teams.csv").write_text(f"team,is_baseline\n{NFC},1\n", encoding="utf-8")
    found = run("--reports", tmp_path, "--json", challenge="fomo26")
    assert found.exit_code == 0, found.stderr
    assert {one["team"]: one["baseline"] for one in json.loads(found.stdout)["tracks"]["open"]} == {
        NFC: True,
        "b": False,
    }
    reports.write(tmp_path, **{NFC: season["team0"]})
    found = run("--reports", tmp_path, challenge="fomo26")
    assert found.exit_code == 1
    assert "two directories are called 'Zürich'" in found.stderr


def test_teams_without_some_value_are_named_on_standard_error(tmp_path):
    rows = (
        "whole,open,task1,auroc,0.9\nwhole,open,task2,dsc,0.5\nwhole,open,task2,nsd,0.5\nwhole,open,task3,mae,5\n"
        "part,open,task1,auroc,NaN\npart,open,task2,dsc,0.6\npart,open,task3,mae,4\n"
        "little,open,task1,auroc,0.8\nalone,methods,task1,auroc,0.8\n"
    )
    found = ranked(tmp_path, "team,track,task,metric,value\n" + rows, "--json")
    assert found.exit_code == 0, found.stderr
    assert sorted(found.stderr.splitlines()) == [
        "open track: little has no value for all of task2 (nothing was given), all of task3 (nothing was given)",
        "open track: part has no value for auroc of task1 (no number), nsd of task2 (nothing was given)",
    ]
    assert run("--scores", PUBLISHED, "--json").stderr == ""


def test_a_team_name_is_text_and_no_markup(tmp_path):
    found = ranked(tmp_path, "team,track,task,metric,value\n[bold]x[/nothing],open,task1,auroc,0.9\n")
    assert "[bold]x[/nothing]" in found.stdout


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,open,task1,auroc,fast", "scores.csv:3: value 'fast' is not a number"),
        ("a,open,task9,auroc,0.5", "scores.csv:3: there is no board 'task9'"),
        ("a,open,task1,dsc,0.5", "scores.csv:3: task1 has no metric 'dsc'"),
        ("a,closed,task1,auroc,0.5", "scores.csv:3: there is no track 'closed'"),
        (",open,task1,auroc,0.5", "scores.csv:3: team is empty"),
        ("a,open,task1,auroc,0,5", "scores.csv:3: more cells than columns"),
        ("z,open,task1,auroc,0.5", "scores.csv:3: 'z' has auroc of task1 twice"),
        ("a,open,task1,auroc,inf", "scores.csv:3: an infinite value"),
        ('a,open,task1,"auroc,0.5', "scores.csv:3: not valid CSV"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, line, message):
    found = ranked(tmp_path, f"team,track,task,metric,value\nz,open,task1,auroc,0.5\n{line}\n")
    assert found.exit_code == 1
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_missing_column_is_named(tmp_path):
    found = ranked(tmp_path, "team,track,metric,value\n")
    assert found.exit_code == 1
    assert "scores.csv:1: no column task" in found.stderr


def test_wrong_calls_and_challenge_files_are_usage_errors(tmp_path):
    assert run().exit_code == 2
    assert run("--scores", tmp_path / "none.csv").exit_code == 2
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("ranking:\n  ties: sometimes\n")
    found = run("--scores", PUBLISHED, "--overlay", overlay)
    assert found.exit_code == 2
    assert "ranking.ties: has to be 'min', 'average' or 'dense'" in found.stderr


def test_an_overlay_changes_the_rule(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("ranking:\n  rerank_boards: true\n")
    teams = json.loads(run("--scores", PUBLISHED, "--json", "--overlay", overlay).stdout)["tracks"]["open"]
    assert {one["team"]: one["task_ranks"]["task2"] for one in teams}["CAMI_SIAT"] == 9


def test_the_rule_is_explained_without_scores():
    found = run("--explain")
    assert found.exit_code == 0, found.stderr
    assert "A board's rank is the mean of its metric ranks." in found.stdout
    digest = found.stdout.splitlines()[-1].removeprefix("Rule ")
    assert json.loads(run("--scores", PUBLISHED, "--json").stdout)["rule"]["digest"] == digest
    assert digest not in run("--explain", challenge="fomo26").stdout


def test_reports_are_ranked_with_their_certainty(tmp_path):
    reports.write(tmp_path / "reports", **reports.season(3))
    arguments = "--reports", tmp_path / "reports"
    found = run(*arguments, challenge="fomo26")
    assert found.exit_code == 0, found.stderr
    for text in (
        "95% places",
        "alone",
        "Winner set",
        "resampled",
        "team0 wins 500 USD: place",
        "Of the weights around the declared ones, first: team0 in",
        "paired permutation",
        "DeLong, t",
        "500 USD",
        "3 of 3",
        "team0 is ",
        "mean ranks ahead of team1 (95% interval for all pairs of teams: ",
        "in the metric",
        "all pairs of all metrics of the track",
        "Groups: going down the values",
        "1: team0",
    ):
        assert text in found.stdout
    assert "team0 > " not in found.stdout
    content = json.loads(run(*arguments, "--json", challenge="fomo26").stdout)
    assert [one["team"] for one in content["tracks"]["open"]] == ["team0", "team1", "team2"]
    assert content["comparison"]["open"]["overall"][0]["first"] > 0.9
    RankFile.model_validate(content)


def test_prizes_that_the_winner_set_shares_need_reports(tmp_path):
    reports.write(tmp_path / "reports", **reports.season(3))
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("ranking: {prizes: {places: [gold, silver], share_within: winner_set}}\n")
    shared = "--overlay", overlay, "--json"
    found = run("--reports", tmp_path / "reports", *shared, challenge="fomo26")
    assert found.exit_code == 0, found.stderr
    content = json.loads(found.stdout)
    decision = content["comparison"]["open"]["prizes"]
    assert decision["shared_within"] == "winner_set"
    prizes = {one["team"]: one["prize"] for one in content["tracks"]["open"] if one["prize"]}
    assert prizes == {one["team"]: one["prize"] for one in decision["awards"]}
    assert decision["candidates"]
    scores = tmp_path / "scores.csv"
    scores.write_text("team,track,task,metric,value\nada,open,task1,auroc,0.9\n")
    found = run("--scores", scores, *shared, challenge="fomo26")
    assert [one["prize"] for one in json.loads(found.stdout)["tracks"]["open"]] == [None]
    assert "shared within the winner set, which values alone do not tell" in found.stderr.replace("\n", " ")


def test_comparison_and_values_per_case_are_written_as_files(tmp_path):
    reports.write(tmp_path / "reports", **reports.season(2))
    files = "--comparison", tmp_path / "comparison.json", "--challenger", tmp_path / "csv"
    found = run("--reports", tmp_path / "reports", *files, challenge="fomo26")
    assert found.exit_code == 0, found.stderr
    assert ComparisonFile.model_validate_json((tmp_path / "comparison.json").read_text()).tracks["open"]
    assert [path.name for path in (tmp_path / "csv").iterdir()] == ["open_higher_is_better.csv"]


def test_calls_that_contradict_themselves_are_usage_errors(tmp_path):
    assert run("--scores", PUBLISHED, "--reports", tmp_path).exit_code == 2
    assert run("--scores", PUBLISHED, "--challenger", tmp_path).exit_code == 2
    found = run("--reports", tmp_path, "--challenger", PUBLISHED)
    assert (found.exit_code, f"--challenger {PUBLISHED}: is a file; name a directory" in found.stderr) == (
        2,
        True,
    )
    found = run("--reports", tmp_path, "--comparison", tmp_path)
    assert (found.exit_code, f"--comparison {tmp_path}: is a directory" in found.stderr) == (2, True)
    found = run("--reports", tmp_path)
    assert found.exit_code == 1
    assert "TEAM/TRACK/BOARD.json" in found.stderr


def test_the_published_fields_of_the_ranking_stay():
    content = json.loads(run("--scores", PUBLISHED, "--json").stdout)
    assert "comparison" not in content
    fields = {"team", "baseline", "eligible", "metric_ranks", "task_ranks", "overall", "placement", "prize"}
    fields |= {"eligible_placement", "first", "first_on"}
    assert set(content["tracks"]["open"][0]) == fields
    RankFile.model_validate(content)


def test_a_value_outside_its_metrics_range_is_refused_with_its_line(tmp_path):
    scores = tmp_path / "scores.csv"
    scores.write_text("team,track,task,metric,value\nada,open,task1,auroc,0.9\nbell,open,task1,auroc,91\n")
    found = run("--scores", scores, challenge="fomo26")
    assert found.exit_code == 1
    assert "scores.csv:3: auroc of task1 is 91, and auroc lies in 0 to 1" in found.stderr.replace("\n", " ")


def test_a_metric_that_nobody_offers_ends_with_a_sentence(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("boards: {task1: {metrics: {auroc: {metric: 'nowhere.to_be:found'}}}}\n")
    scores = tmp_path / "scores.csv"
    scores.write_text("team,track,task,metric,value\nada,open,task1,auroc,0.9\n")
    found = run("--scores", scores, "--overlay", overlay, challenge="fomo26")
    assert found.exit_code == 2
    assert "nowhere.to_be:found" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_report_with_a_failed_metric_has_an_exit_code_of_its_own(tmp_path):
    reports.write(tmp_path / "reports", **reports.season(3))
    path = next((tmp_path / "reports").glob("*/open/*.json"))
    content = json.loads(path.read_text())
    key = next(iter(content["metrics"]))
    content["metrics"][key] = {"value": None, "reason": "It raised.", "fault": "scorer_failed"}
    path.write_text(json.dumps(content))
    found = run("--reports", tmp_path / "reports", challenge="fomo26")
    assert found.exit_code == 3
    assert "scorer_failed" in found.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "command",
    [
        ["rank", "--scores", PUBLISHED],
        ["rank", "--scores", PUBLISHED, "--json"],
        ["check", "--task", "task3", "--output", PUBLISHED, "--inputs", ROOT],
    ],
)
def test_output_that_does_not_fit_is_said(command, buffered):
    name = "fomo25" if "rank" in command else "fomo26"
    challenge = ["--challenge", ROOT / "challenges" / name / "challenge.yaml"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "evaluator", *command, *challenge],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment | ({} if buffered else {"PYTHONUNBUFFERED": "1"}),
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_report_is_named_by_team_track_and_field(tmp_path):
    (tmp_path / "team" / "open").mkdir(parents=True)
    path = tmp_path / "team" / "open" / "task1.json"
    path.write_text("{}")
    found = run("--reports", tmp_path)
    assert found.exit_code == 1
    assert "team/open/task1.json: not a report: board: Field required" in found.stderr
    path.unlink()
    path.mkdir()
    found = run("--reports", tmp_path)
    assert found.exit_code == 1
    assert "team/open/task1.json: cannot be read: Is a directory" in found.stderr


def test_teams_without_any_value_are_named_and_not_lost_in_silence(tmp_path):
    header = "team,track,task,metric,value\n"
    found = ranked(
        tmp_path,
        header + "a,open,task1,auroc,0.5\nb,open,task1,auroc,\nc,method,task1,auroc,nan\n",
        challenge="fomo26",
    )
    assert found.exit_code == 0
    assert "open track: not ranked, as nothing of theirs has a value: b" in found.stderr
    assert "method track: not ranked, as nothing of theirs has a value: c" in found.stderr


def test_a_rejected_report_is_named_where_it_is_the_teams_only_one(tmp_path):
    season = reports.season(2)
    rejected = season["team1"]["task1"].model_copy(update={"rejected": "Too few embeddings."})
    reports.write(tmp_path, a=season["team0"], b={"task1": rejected})
    found = run("--reports", tmp_path, "--json", challenge="fomo26")
    assert found.exit_code == 0, found.stderr
    assert "open track: not ranked, as nothing of theirs has a value: b" in found.stderr


def test_a_team_name_does_not_steer_the_terminal(tmp_path):
    found = ranked(
        tmp_path, "team,track,task,metric,value\na\x1b[2J,open,task1,auroc,0.5\n", challenge="fomo26"
    )
    assert found.exit_code == 1
    assert "scores.csv:2: team 'a\\x1b[2J' holds characters that cannot be printed" in found.stderr


def test_a_narrow_terminal_shows_every_name_and_value_whole(tmp_path):
    season = reports.season(3)
    reports.write(
        tmp_path, **{"Neuron Laboratory": season["team0"], "b": season["team1"], "c": season["team2"]}
    )
    arguments = [
        "rank",
        "--challenge",
        str(ROOT / "challenges/fomo26/challenge.yaml"),
        "--reports",
        str(tmp_path),
    ]
    wide, narrow = (
        CliRunner().invoke(app, arguments, env={"COLUMNS": width}).stdout for width in ("180", "60")
    )
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines()))
    assert "…" not in narrow
    for name in ("Neuron Laboratory", "DSC / NSD", "500 USD", "paired permutation", "DeLong", "resampled"):
        assert name in narrow
    cells = r"\d\.\d{3}(?: / \d\.\d{3})?"
    assert sorted(re.findall(cells, narrow)) == sorted(re.findall(cells, wide))
    assert len(re.findall(r"# +team", narrow)) > len(re.findall(r"# +team", wide)) == 2


def test_what_has_no_test_is_told_once_below_the_table(tmp_path):
    season = reports.season(3)
    for found in season.values():
        report = found["task2"]
        metrics = {
            key: metric.model_copy(update={"influence": None}) for key, metric in report.metrics.items()
        }
        found["task2"] = report.model_copy(update={"metrics": metrics, "per_case": {}})
    reports.write(tmp_path, **season)
    shown = " ".join(run("--reports", tmp_path, challenge="fomo26").stdout.split())
    assert "Not tested: DSC of task2, NSD of task2. The reports do not say" in shown
    assert shown.count("The reports do not say how much each subject moves it") == 1
