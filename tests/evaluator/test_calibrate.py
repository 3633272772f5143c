"""`calibrate` finds what does not hold, leaves alone what does, and says what it does not know."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from evaluator.calibration import CalibrationFile, Design, Promised, calibrate, covered, family_of
from evaluator.calibration._coverage import ProbeSeeds
from evaluator.calibration._families import NOT_SIMULATED, Family, matched
from evaluator.calibration._observed import ClassSizes, world_like
from evaluator.calibration._seasons import Seasons
from evaluator.cli import app
from evaluator.comparison import Entrant, Track
from evaluator.metrics import CaseMetric, DatasetData, DatasetMetric
from evaluator.metrics.registry import BUILT_IN, lookup
from evaluator.scoring import Report, SeedReport
from evaluator.spec import load_challenge
from tests.evaluator import reports
from tests.evaluator.seasons import one_seed, scored, season

FILE = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"
FOMO26 = one_seed(load_challenge(FILE))
GIVEN = {
    "sensitivity_at_specificity": {"specificity": 0.8},
    "specificity_at_sensitivity": {"sensitivity": 0.8},
}


def run(*arguments):
    return CliRunner().invoke(app, ["calibrate", "--challenge", str(FILE), *map(str, arguments)])


def ages(cases=20, heavy=True, seed=4):
    """A report of task3 with few cases."""
    stream = np.random.default_rng(seed)
    labels = stream.normal(60, 12, cases)
    errors = stream.standard_t(2, cases) if heavy else stream.normal(size=cases)
    return scored(FOMO26, "task3", DatasetData(labels, labels + errors), Design(cases), dataset="sha256:t3")


def with_metric(report, key, **fields):
    metric = report.metrics[key].model_copy(update=fields)
    return report.model_copy(update={"metrics": {**report.metrics, key: metric}})


def infarcts(**fields):
    """A report of task1 with an AUROC near 0.95 of 16 positives among 80 cases."""
    stream, design = np.random.default_rng(1), Design(80, share=0.2)
    data = DatasetData(design.labels, stream.normal(size=80) + 2.3 * design.labels)
    return with_metric(scored(FOMO26, "task1", data, design, dataset="sha256:t1"), "auroc", **fields)


def checked(report, datasets=50, **how):
    entrants = {"": [Entrant("team", {report.board: report})]}
    return calibrate(FOMO26, entrants, datasets=datasets, places=False, **how)


def interval(found, metric):
    return next(one for one in found.intervals if one.metric == metric)


def test_an_interval_that_misses_the_truth_is_found_out_and_one_that_holds_it_is_not():
    now, before = (
        interval(checked(report, 600), "auroc")
        for report in (infarcts(), infarcts(interval_method="percentile"))
    )
    assert (now.way, now.verdict) == ("logit", "kept")
    assert now.covered > 0.94
    assert (before.way, before.verdict) == ("percentile", "short")
    assert before.covered < 0.91


@pytest.mark.parametrize(
    ("covered", "error", "level", "verdict"),
    [
        (0.93, 0.01, 0.95, "kept"),
        (0.92, 0.01, 0.95, "unclear"),
        (0.90, 0.01, 0.95, "short"),
        (0.90, 0.01, 0.90, "kept"),
        (0.10, 0.01, None, "kept"),
    ],
)
def test_a_promise_is_called_broken_only_beyond_the_error_of_the_simulation(covered, error, level, verdict):
    assert Promised(level=level, covered=covered, error=error).verdict == verdict


def test_sets_of_places_hold_among_near_ties_and_the_range_of_resamples_is_found_not_to():
    made = season(FOMO26, 8, 40, apart=0.0, boards=("task1",))
    held = Seasons.nearly_tied(track_of(made), [2]).held(100, lambda: None)["task1"]
    assert held.ranges / held.seasons < 0.8
    assert held.joint / held.seasons >= 0.93
    assert (held.alone / held.seasons).mean() >= 0.93
    assert held.winner / held.seasons >= 0.93


def track_of(made):
    entrants = [Entrant(team, boards) for team, boards in made.items()]
    return Track.of(FOMO26.ranking, FOMO26.boards, entrants, 0.95)


def test_the_true_places_of_a_season_are_those_of_the_values_it_is_drawn_around():
    made = season(FOMO26, 4, 60, apart=0.2, boards=("task1", "task3"))
    track = track_of(made)
    truth = np.array([[0.9, 0.8, 0.7, 0.6]] * len(track.table.columns))
    truth[[not column.higher_is_better for column in track.table.columns]] *= -1
    truth[~np.isfinite(track.table.values)] = np.nan
    overall, boards = Seasons(track, truth, [3]).places()
    assert overall.tolist() == [1, 2, 3, 4]
    assert boards["task1"].tolist() == [1, 2, 3, 4]
    assert boards["task2"].tolist() == [0, 0, 0, 0]


def test_the_same_seed_gives_the_same_and_another_one_does_not():
    one, again, other = (checked(ages(), seed=seed).model_dump_json() for seed in (5, 5, 6))
    assert one == again
    assert one != other.replace('"seed":6', '"seed":5')


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_metric_has_a_world_of_a_known_value_or_a_reason(name):
    plugin = lookup(name)
    if isinstance(plugin, CaseMetric) or plugin.compares is not None:
        return  # from single cases, and from the groups of a report
    family = family_of(plugin)
    if not isinstance(family, Family):
        assert family == NOT_SIMULATED["points"]
        return
    design = Design(100, sizes=(40, 30, 30) if plugin.reads == "classes" else (60, 40))
    given = plugin.parse(GIVEN.get(name, {})).model_dump()
    at = family.least + 0.6 * (family.most - family.least)
    wanted = plugin.score(
        family.drawn(np.random.default_rng(2), design.enlarged(2000), at), plugin.parse(given)
    )
    world = matched(name, family, wanted, design, given)
    assert world.truth(design, 2000 if name == "concordance" else 20_000) == pytest.approx(
        wanted, rel=0.1, abs=0.02
    )


def test_metrics_without_a_distribution_of_their_data_are_named_with_the_reason():
    foreign = DatasetMetric("own", "higher", 0, 1, 0, type(lookup("auroc").parse({})), len, len)
    assert family_of(foreign) == NOT_SIMULATED["foreign"]


def test_class_sizes_are_those_that_aurocs_are_whole_parts_of():
    made = season(FOMO26, 1, 50, boards=("task1",))["team0"]["task1"]
    sizes = ClassSizes.of(FOMO26, [made], {})
    assert sizes.found == {("sha256:task1", 50): (30, 20)}
    like = world_like(FOMO26, made, "auroc", sizes)
    assert like.design.sizes == (30, 20)
    assert any("30 and 20" in sentence for sentence in like.told)
    given = ClassSizes.of(FOMO26, [made], {"task1": (10, 40)})
    assert world_like(FOMO26, made, "auroc", given).design.sizes == (10, 40)


def test_what_a_report_lacks_is_taken_for_granted_aloud():
    made = with_metric(
        season(FOMO26, 1, 50, boards=("task1",))["team0"]["task1"], "auroc", replicates=(), influence=None
    )
    made = made.model_copy(update={"extras": made.extras.model_copy(update={"bootstrap": None})})
    told = world_like(FOMO26, made, "auroc", ClassSizes.of(FOMO26, [made], {})).told
    for words in (
        "taken as equal; --classes task1=25,25",
        "each case is taken for one",
        "as the challenge file says",
    ):
        assert any(words in sentence for sentence in told), told


def test_reports_without_cases_or_with_seeds_that_need_embeddings_are_not_simulated():
    found = season(FOMO26, 1, 50, boards=("task2", "task6"))["team0"]
    bare = with_metric(found["task2"].model_copy(update={"per_case": {}}), "dsc", influence=None)
    assert "neither values of single cases nor influence" in world_like(
        FOMO26, bare, "dsc", ClassSizes({}, {})
    )
    seeds = found["task6"].extras.bootstrap.model_copy(update={"sources": "test_cases_seeds_and_split"})
    drawn = found["task6"].model_copy(
        update={"extras": found["task6"].extras.model_copy(update={"bootstrap": seeds})}
    )
    assert "no embeddings" in world_like(FOMO26, drawn, "ovr_auroc", ClassSizes({}, {}))


def test_a_metric_that_is_undefined_in_its_world_is_named_with_the_reason():
    found = checked(infarcts(), sizes={"task1": (80, 0)})
    assert not found.intervals
    assert "undefined in such data" in found.unchecked[0].reason


def seeded(board, metric):
    """The world of a metric of one seed, which its interval is to hold besides the cases."""
    report = season(FOMO26, 1, 100, boards=(board,))["team0"][board]
    given = SeedReport(values=(0.75, 0.85, 0.8, 0.77, 0.83), mean=0.8, sd=0.06, low=0.75, high=0.85)
    probe = report.extras.probe.model_copy(update={"by_seed": {metric: given}})
    drawn = report.extras.bootstrap.model_copy(update={"sources": "test_cases_and_seeds"})
    extras = report.extras.model_copy(update={"probe": probe, "bootstrap": drawn})
    return world_like(FOMO26, report.model_copy(update={"extras": extras}), metric, ClassSizes({}, {}))


def test_what_seeds_add_is_held_where_they_are_drawn_and_missed_where_not():
    like = seeded("task6", "ovr_auroc")
    assert like.world.seeds == ProbeSeeds(5, 0.06, mean=False, drawn=True)
    missed = replace(like.world, seeds=replace(like.world.seeds, drawn=False))
    assert covered(like.world, like.design, 100).share >= 0.93
    assert covered(missed, like.design, 100).share < 0.9


def test_fairness_holds_what_seeds_add():
    like = seeded("task7", "fairness_auroc")
    assert covered(like.world, like.design, 50).share >= 0.93


def test_errors_of_ages_are_recovered_from_influence_values():
    report = ages(heavy=False)
    like = world_like(FOMO26, report, "mae", ClassSizes({}, {}))
    sizes = np.array(like.world.drawn.sizes.observed)
    assert sizes.mean() == pytest.approx(report.metrics["mae"].value)
    assert (sizes >= 0).all()
    assert like.world.truth(like.design) == pytest.approx(report.metrics["mae"].value, rel=0.1)


def test_fairness_is_that_of_groups_as_large_and_as_far_apart_as_observed():
    report = season(FOMO26, 1, 60, boards=("task7",))["team0"]["task7"]
    like = world_like(FOMO26, report, "fairness_auroc", ClassSizes.of(FOMO26, [report], {}))
    data = like.world.drawn(np.random.default_rng(3), like.design.enlarged(20_000))
    for variable, groups in report.extras.groups.items():
        members = np.array(data.groups[variable])
        for name, group in groups.items():
            assert (members == name).mean() == pytest.approx(group.size / 60, abs=0.02)
    assert like.world.truth(like.design, 20_000) == pytest.approx(
        report.metrics["fairness_auroc"].value, abs=0.03
    )
    assert interval(checked(report), "fairness_auroc").covered >= 0.9


def test_single_cases_of_several_sessions_are_simulated_by_subject():
    report = season(FOMO26, 1, 60, boards=("task2",))["team0"]["task2"]
    values = np.array(report.per_case["dsc"])
    moved = np.add.reduceat((values - values.mean()) / 60, range(0, 60, 3)) * np.sqrt(20 / 19)
    few = with_metric(report, "dsc", influence=tuple(moved.tolist()))
    like = world_like(FOMO26, few, "dsc", ClassSizes({}, {}))
    assert like.design.cases == 20
    assert np.sort(like.world.drawn.observed) == pytest.approx(np.sort(values.reshape(20, 3).mean(axis=1)))


def test_the_command_prints_what_was_promised_and_writes_it_by_team(tmp_path):
    reports.write(tmp_path / "r", **season(FOMO26, 2, 30, boards=("task1", "task2")))
    old = tmp_path / "r" / "team0" / "open" / "task2.json"
    report = Report.model_validate_json(old.read_bytes())
    old.write_text(with_metric(report, "dsc", interval_method="percentile").model_dump_json())
    found = run(tmp_path / "r", "--datasets", 50, "--json", tmp_path / "out.json")
    assert found.exit_code == 0, found.stderr
    rows = [line.split() for line in found.stdout.splitlines()]
    assert next(row for row in rows if row[:2] == ["task1", "auroc"])[2:6] == ["30", "logit", "t", "0.95"]
    assert ["task2", "dsc", "30", "percentile"] in [row[:4] for row in rows]
    assert any(row[:4] == ["all", "boards", "all", "teams"] for row in rows)
    assert "score again with this version" in " ".join(found.stdout.split())
    assert max(map(len, found.stdout.splitlines())) <= 100
    told = CalibrationFile.model_validate_json((tmp_path / "out.json").read_bytes())
    assert [(one.team, one.metric) for one in told.intervals] == [
        (team, metric) for team in ("team0", "team1") for metric in ("auroc", "dsc", "nsd")
    ]
    assert {row.promise for row in told.places if row.board is None} == {
        "all teams at once", "one team alone", "winner set", "range of resamples",
    }  # fmt: skip
    assert json.loads((tmp_path / "out.json").read_text())["seed"] == 1


def test_one_report_has_a_table_of_its_own(tmp_path):
    file = tmp_path / "any name.json"
    file.write_text(ages().model_dump_json())
    found = run(file, "--datasets", 50)
    assert found.exit_code == 0, found.stderr
    assert "Places" not in found.stdout
    assert "log t" in found.stdout


def test_a_wrong_call_is_said_with_its_place(tmp_path):
    file = tmp_path / "task3.json"
    file.write_text(ages().model_dump_json())
    reports.write(tmp_path / "r", team={"task3": ages()})
    two = tmp_path / "two.json"
    two.write_text(infarcts().model_dump_json())
    broken = tmp_path / "broken.json"
    broken.write_text('{"board": "task3"}')
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(ages().model_copy(update={"board": "task9"}).model_dump_json())
    wrong = {
        2: [
            ((tmp_path / "r", file), "one directory of all teams or single reports"),
            ((file, file), "named twice"),
            ((file, "--classes", "task9=1,2"), "there is no board 'task9'"),
            ((file, "--classes", "task1=many"), "the cases of each class"),
            ((file, "--datasets", 1), "datasets"),
            ((file, "--json", tmp_path / "no" / "where.json"), "where.json"),
        ],
        1: [
            ((tmp_path / "nothing.json",), "nothing.json: cannot be read"),
            ((broken,), "broken.json: not a report"),
            ((elsewhere,), "there is no board 'task9'"),
            ((file, "--classes", "task1=60,40"), "there is no report of it"),
            ((two, "--classes", "task1=40,20,20"), "it has 2 classes, and 3 numbers were given"),
            ((file, "--classes", "task3=60,40"), "60 + 40 is 100, and its reports score 20 cases"),
            ((tmp_path,), "there is no track"),
        ],
    }
    for code, calls in wrong.items():
        for words, sentence in calls:
            found = run(*words)
            assert found.exit_code == code, (words, found.output)
            assert sentence in " ".join(found.output.replace("│", " ").split()), (words, found.output)


def test_the_page_shows_what_was_covered_and_refuses_what_is_of_other_reports(tmp_path):
    made = season(FOMO26, 2, 30, boards=("task1",))
    reports.write(tmp_path / "r", **made)
    page, file = tmp_path / "page.html", tmp_path / "calibration.json"
    assert run(tmp_path / "r", "--datasets", 50, "--json", file).exit_code == 0
    words = ["report", "--challenge", str(FILE), "--reports", str(tmp_path / "r"), "--out", str(page)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert "python -m evaluator calibrate" in page.read_text()
    assert "in simulation" not in page.read_text()
    found = CliRunner().invoke(app, [*words, "--calibration", str(file)])
    assert found.exit_code == 0, found.stderr
    covered = CalibrationFile.model_validate_json(file.read_bytes())
    mean = sum(row.covered for row in covered.intervals) / 2
    text = " ".join(page.read_text().split())
    assert f"AUROC, logit t: of intervals that say 95%, {mean:.1%} ±" in text
    assert "Simulated with teams nearly tied: winner set, which says 95%, held in" in text
    other = with_metric(made["team0"]["task1"], "auroc", value=0.5)
    (tmp_path / "r" / "team0" / "open" / "task1.json").write_text(other.model_dump_json())
    found = CliRunner().invoke(app, [*words, "--calibration", str(file)])
    assert found.exit_code == 1
    assert "of other reports: auroc of task1 by team0 was" in found.stderr
    file.write_text('{"seed": 1}')
    found = CliRunner().invoke(app, [*words, "--calibration", str(file)])
    assert found.exit_code == 2
    assert "not what `calibrate --json` writes: rule: Field" in " ".join(
        found.stderr.replace("│", "").split()
    )
