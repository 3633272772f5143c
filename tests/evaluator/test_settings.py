"""A report tells how its board was scored, and none is ranked with, or under, other settings."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.comparison import read_report
from evaluator.ranking import RankingError
from evaluator.scoring import Extras, MetricReport, Report, score_board, settings_of
from evaluator.spec import load_challenge
from tests.evaluator import reports
from tests.evaluator.datasets import CHALLENGES, numbers

FILE = CHALLENGES / "fomo26" / "challenge.yaml"
FOMO26 = load_challenge(FILE)
TEAMS = ("Cortex", "Glia")


def file_with(folder, old, new):
    text, path = FILE.read_text(encoding="utf-8"), folder / "other.yaml"
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def report_of(spec, board):
    """One without values, which tells how its board was scored."""
    declared = spec.boards[board]
    metrics = {key: MetricReport(value=None, reason="Nothing.") for key in declared.metrics}
    extras = Extras(dataset="sha256:0", settings=settings_of(declared, spec.tasks[declared.task]))
    return Report(board=board, cases=(), per_case={}, metrics=metrics, extras=extras)


OTHER = [
    ("tolerance_mm: 1.0", "tolerance_mm: 3.0", "task2", "metrics.nsd.tolerance_mm 3.0", "1.0"),
    ("missing: -100}", "missing: 50}", "task3", "metrics.correlation.missing 50.0", "-100.0"),
    ("auroc: {metric: auroc,", "auroc: {metric: auprc,", "task1", "metrics.auroc.metric auprc", "auroc"),
    ("[40, 60, 80, 200]", "[50, 200]", "task7", "groups.age [50.0, 200.0]", "[40.0, 60.0, 80.0, 200.0]"),
    ("score: mean", "score: seed", "task6", "probe.score seed", "mean"),
    ("epochs: 20", "epochs: 5", "task6", "probe.epochs 5", "20"),
    ("minimum: 0, maximum: 1}", "minimum: 0, maximum: 2}", "task1", "output.maximum 2.0", "1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "board", "theirs", "ours"), OTHER)
def test_a_report_of_other_settings_is_refused_with_both_values(tmp_path, old, new, board, theirs, ours):
    path = tmp_path / f"{board}.json"
    path.write_text(report_of(load_challenge(file_with(tmp_path, old, new)), board).model_dump_json())
    with pytest.raises(RankingError) as refused:
        read_report(FOMO26, path, board)
    assert f"{path}: {board} was scored with {theirs}, and this challenge file has {ours}; " in str(
        refused.value
    )


def test_what_changes_no_value_is_no_other_setting(tmp_path):
    for old, new, board in [
        ("title: DSC", "title: Overlap", "task2"),
        ("title: Brain age regression", "title: Age", "task3"),
        ("weights: {task1: 10", "weights: {task1: 11", "task1"),
        ("tolerance_mm: 1.0", "tolerance_mm: 1", "task2"),
        ("variable: sex", "enough: 3, variable: sex", "task7"),
        ("prizes: [500 USD", "prizes: [1 USD", "task6"),
    ]:
        path = tmp_path / f"{board}.json"
        path.write_text(report_of(load_challenge(file_with(tmp_path, old, new)), board).model_dump_json())
        assert read_report(FOMO26, path).extras.settings is not None, new


def test_a_report_from_before_settings_were_kept_is_taken_as_it_is(tmp_path):
    reports.write(tmp_path, a=reports.season(teams=1)["team0"])
    assert read_report(FOMO26, tmp_path / "a" / "open" / "task2.json").extras.settings is None


@pytest.mark.parametrize("command", ["rank", "report", "calibrate"])
def test_teams_scored_with_other_parameters_are_not_ranked_together(tmp_path, command):
    """As scoring writes them: one team with the file that is given, one with another tolerance of the same metric."""
    given = tmp_path / "reports"
    other = load_challenge(file_with(tmp_path, "missing: 100}", "missing: 3}"))
    dataset = numbers(tmp_path / "data", "task3", [40, 50, 60], [41, 52, 59])
    manifest = dataset.save()
    for team, spec in zip(TEAMS, (FOMO26, other), strict=True):
        found = score_board(spec, "task3", manifest, dataset.references, dataset.predictions)
        reports.write(given, **{team: {"task3": found}})
    more = {"report": ["--out", tmp_path / "page.html"], "calibrate": []}.get(command, [])
    where = [given] if command == "calibrate" else ["--reports", given]
    call = [command, "--challenge", FILE, *where, *more]
    found = CliRunner().invoke(app, list(map(str, call)))
    assert found.exit_code == 1, found.stderr
    place = Path("Glia") / "open" / "task3.json"
    assert f"{place}: task3 was scored with metrics.mae.missing 3.0, and this challenge" in found.stderr
    assert "score it again with this file" in found.stderr
    assert not (tmp_path / "page.html").exists()
