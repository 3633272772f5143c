"""`calibrate` certifies nothing that few cases decide, nor an interval that is not the published one."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator.calibration import CalibrationFile, Design, Promised, calibrate
from evaluator.cli import app
from evaluator.comparison import Entrant
from evaluator.metrics import DatasetData
from evaluator.spec import load_challenge
from tests.evaluator import reports
from tests.evaluator.seasons import one_seed, scored, season

FILE = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"
FOMO26 = one_seed(load_challenge(FILE))


def with_metric(report, key, **fields):
    metric = report.metrics[key].model_copy(update=fields)
    return report.model_copy(update={"metrics": {**report.metrics, key: metric}})


def infarcts(positives, seed=1):
    stream, design = np.random.default_rng(seed), Design(80, sizes=(80 - positives, positives))
    data = DatasetData(design.labels, stream.normal(size=80) + 1.19 * design.labels)
    return scored(FOMO26, "task1", data, design, dataset="sha256:t1")


def teams_of(*found):
    return {"open": [Entrant(f"t{number}", {one.board: one}) for number, one in enumerate(found)]}


def checked(*found, places=False):
    return calibrate(FOMO26, teams_of(*found), datasets=50, places=places)


def printed(folder, *words):
    found = CliRunner().invoke(
        app, ["calibrate", "--challenge", str(FILE), "--datasets", "50", str(folder), *words]
    )
    assert found.exit_code == 0, found.output
    return " ".join(found.stdout.split())


@pytest.mark.parametrize(
    ("covered", "doubts", "differs", "verdict"),
    [
        (0.95, (), (), "kept"),
        (0.95, ("few",), (), "few"),
        (0.92, ("few",), (), "few"),
        (0.95, ("few",), ("other",), "other"),
        (0.80, ("few",), ("other",), "short"),
    ],
)
def test_only_what_is_broken_even_so_is_said_before_a_doubt(covered, doubts, differs, verdict):
    assert (
        Promised(level=0.95, covered=covered, error=0.01, doubts=doubts, differs=differs).verdict == verdict
    )


@pytest.mark.parametrize("positives", [2, 3])
def test_few_positives_are_a_doubt_of_intervals_and_places_by_name(positives):
    found = checked(infarcts(positives), infarcts(positives, seed=2), places=True)
    said = f"its rarest class has {positives} cases"
    assert [row.doubts for row in found.intervals] == [(said,)] * 2
    assert {row.doubts for row in found.places} == {(f"auroc of task1 (t0 and 1 more): {said}",)}
    certified = [row for row in (*found.intervals, *found.places) if row.level is not None]
    assert not [row for row in certified if row.verdict == "kept"]


def test_of_one_positive_nothing_is_certified():
    found = checked(infarcts(1), infarcts(1, seed=2), places=True)
    assert not (*found.intervals, *found.places)
    assert {(one.metric, one.board) for one in found.unchecked} == {
        ("auroc", "task1"),
        (None, None),
        (None, "task1"),
    }


def test_enough_cases_of_both_classes_leave_no_doubt():
    found = checked(infarcts(40), infarcts(40, seed=2), places=True)
    assert not [row for row in (*found.intervals, *found.places) if row.doubts or row.differs]


def test_normal_scores_are_no_doubt_of_an_interval_where_observed_ones_are_one_of_places():
    found = checked(infarcts(16), infarcts(16, seed=2), places=True)
    assert not [row for row in found.intervals if row.doubts]
    assert {row.doubts for row in found.places} == {
        ("auroc of task1 (t0 and 1 more): one of 80 subjects, or sites, makes 37% of its variance",)
    }


def test_one_site_that_makes_most_of_the_variance_is_a_doubt():
    report = season(FOMO26, 1, 60, boards=("task2",))["team0"]["task2"]
    moved = tuple(0.01 * np.array([8.0, -3, 2, -1, 1, -0.5, 0.5, -0.2]))
    doubt = checked(with_metric(report, "dsc", influence=moved)).intervals[0].doubts[0]
    assert doubt == "one of 8 subjects, or sites, makes 80% of its variance"
    equal = tuple(0.01 * np.array([1.0, -1, 1, -1, 1, -1, 1, -1]))
    doubt = checked(with_metric(report, "dsc", influence=equal)).intervals[0].doubts[0]
    assert doubt == "its variance is as uncertain as one of 7.0 degrees of freedom"


def test_small_groups_are_a_doubt_of_fairness():
    report = season(FOMO26, 1, 30, boards=("task7",))["team0"]["task7"]
    smallest = min(one.subjects for members in report.extras.groups.values() for one in members.values())
    assert smallest < 10
    found = checked(report).intervals
    assert found
    assert {row.doubts for row in found} == {(f"its smallest group has {smallest} subjects",)}


def test_a_metric_whose_report_does_not_tell_what_moves_it_is_a_doubt():
    report = with_metric(season(FOMO26, 1, 50, boards=("task3",))["team0"]["task3"], "mae", influence=None)
    assert "says of no subject how far it moves" in checked(report).intervals[0].doubts[0]


def test_intervals_as_they_were_published_are_made_again_to_the_digit():
    made = season(FOMO26, 1, 60)["team0"]
    found = checked(*made.values())
    assert {row.metric for row in found.intervals} >= {"auroc", "dsc", "mae", "ovr_auroc"}
    assert not [row.differs for row in found.intervals if row.differs]


@pytest.mark.parametrize(("board", "metric"), [("task1", "auroc"), ("task2", "dsc"), ("task3", "mae")])
def test_an_interval_that_this_version_does_not_make_is_told_from_the_published_numbers(board, metric):
    report = season(FOMO26, 1, 60, boards=(board,))["team0"][board]
    value = report.metrics[metric].value
    row = next(
        row
        for row in checked(with_metric(report, metric, low=value - 0.001, high=value + 0.001)).intervals
        if row.metric == metric
    )
    assert "is not the one that this version makes of the report's own resamples" in row.differs[0]
    assert f"{report.metrics[metric].low:.4g} to {report.metrics[metric].high:.4g}" in row.differs[0]
    assert row.verdict == "other"


@pytest.mark.parametrize(("reach", "words"), [(0.001, "narrower"), (4.0, "wider")])
def test_an_interval_that_cannot_be_made_again_is_held_against_the_simulated_ones(reach, words):
    report = season(FOMO26, 1, 60, boards=("task3",))["team0"]["task3"]
    untold, value = with_metric(report, "mae", replicates=()), report.metrics["mae"].value
    assert not checked(untold).intervals[0].differs
    found = checked(with_metric(untold, "mae", low=value - reach, high=value + reach))
    assert f"is {words} than 50 of 50 simulated ones" in found.intervals[0].differs[0]


def test_the_table_marks_doubts_and_differences_and_counts_datasets_without_an_interval(tmp_path):
    values = np.r_[np.ones(23), 0.5, 0.7]
    few = scored(
        FOMO26, "task2", None, Design(25), dataset="sha256:z", per_case={"dsc": values, "nsd": values}
    )
    value = few.metrics["dsc"].value
    team = {"task1": infarcts(3), "task2": with_metric(few, "dsc", low=value - 0.001, high=value)}
    reports.write(tmp_path / "r", team0=team, team1={"task1": infarcts(3, seed=2), "task2": few})
    said = printed(tmp_path / "r", "--json", str(tmp_path / "out.json"))
    assert "none: the share of simulated datasets without an interval" in said
    assert "~: too few independent cases decide" in said
    assert "auroc of task1, team0 (and 1 more): its rarest class has 3 cases." in said
    assert "≠: what was published is not what is simulated" in said
    assert "dsc of task2, team0: the published interval," in said
    told = CalibrationFile.model_validate_json((tmp_path / "out.json").read_bytes())
    without = [row.without for row in told.intervals if row.metric == "dsc"]
    assert sum(without) > 0
    assert f"{sum(without) / 100:.3f}" in said
    assert all(row.doubts for row in told.places)
    page = tmp_path / "page.html"
    words = ["report", "--challenge", str(FILE), "--reports", str(tmp_path / "r"), "--out", str(page)]
    found = CliRunner().invoke(app, [*words, "--calibration", str(tmp_path / "out.json")])
    assert found.exit_code == 0, found.output
    text = " ".join(page.read_text().split())
    assert (
        "Too few independent cases decide for a simulation to tell; team0: its rarest class has 3 cases"
        in text
    )
    assert "What was published is not what was simulated; team0: the published interval" in text
    assert "of the simulated datasets had no interval" in text
