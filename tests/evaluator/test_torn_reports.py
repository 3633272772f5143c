"""Reports that were edited or cut short are refused in a sentence, or said to be beyond what can be simulated."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.spec import load_challenge
from tests.evaluator import reports
from tests.evaluator.seasons import one_seed, season

FILE = Path(__file__).parents[2] / "challenges" / "fomo26" / "challenge.yaml"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A directory of two teams, whose reports of probes say that seeds were drawn."""
    folder = tmp_path_factory.mktemp("reports")
    made = season(one_seed(load_challenge(FILE)), 2, 30, boards=("task1", "task2", "task3", "task6", "task7"))
    reports.write(folder, **made)
    for file in folder.rglob("*.json"):
        content = json.loads(file.read_text())
        if (probe := content["extras"]["probe"]) is not None:
            content["extras"]["bootstrap"]["sources"] = "test_cases_and_seeds"
            probe["seeds"] = [42, 43]
            seeds = {"values": [0.7, 0.8], "mean": 0.75, "sd": 0.07, "low": 0.7, "high": 0.8}
            probe["by_seed"] = dict.fromkeys(content["metrics"], seeds)
        file.write_text(json.dumps(content))
    return {file.relative_to(folder): file.read_text() for file in folder.rglob("*.json")}


def changed(sound, folder, board, change, teams=("team0", "team1")):
    """The directory with reports of one board changed; change: of the content."""
    for name, text in sound.items():
        content = json.loads(text)
        if name.stem == board and name.parts[0] in teams:
            change(content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def set_at(*path, to):
    def change(content):
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = to(content[path[-1]]) if callable(to) else to

    return change


def each_group(**fields):
    def change(content):
        for members in content["extras"]["groups"].values():
            for group in members.values():
                group.update(fields)

    return change


TORN = {
    "no cases": ("task1", set_at("cases", to=[]), "cases: there are none, and auroc has a value"),
    "fewer values than cases": (
        "task2",
        set_at("per_case", "dsc", to=lambda values: values[:-2]),
        "per_case.dsc: it has 28 values for 30 cases",
    ),
    "one influence value": (
        "task1",
        set_at("metrics", "auroc", "influence", to=[0.1]),
        "metrics.auroc.influence: it has 1 values",
    ),
    "influence of other lengths": (
        "task2",
        set_at("metrics", "nsd", "influence", to=lambda values: values[:5]),
        "metrics.nsd.influence: it has 5 values, and dsc has 30",
    ),
    "more influence values than cases": (
        "task1",
        set_at("metrics", "auroc", "influence", to=[0.1] * 31),
        "metrics.auroc.influence: it has 31 values for 30 cases",
    ),
    "no values of seeds": (
        "task6",
        set_at("extras", "probe", "by_seed", to={}),
        "extras.probe.by_seed: ovr_auroc is missing",
    ),
    "fewer values than seeds": (
        "task6",
        set_at("extras", "probe", "by_seed", "ovr_auroc", "values", to=[0.7]),
        "extras.probe.by_seed.ovr_auroc.values: it has 1 values for 2 seeds",
    ),
    "no test case": (
        "task6",
        set_at("extras", "probe", "test", to=0),
        "extras.probe.test: 0 test cases of 30",
    ),
    "fewer than none": (
        "task6",
        set_at("extras", "probe", "test", to=-5),
        "extras.probe.test: -5 test cases",
    ),
    "too many": (
        "task6",
        set_at("extras", "probe", "test", to=2**62),
        "extras.probe.test: 4611686018427387904",
    ),
    "empty groups": ("task7", each_group(size=0, subjects=0), ".size: 0 of 30 test cases"),
    "groups below nothing": ("task7", each_group(size=-3), ".size: -3 of 30 test cases"),
    "more subjects than cases": ("task7", each_group(subjects=40), ".subjects: 40 subjects of"),
}


@pytest.mark.parametrize("name", TORN)
@pytest.mark.parametrize("command", ["rank", "calibrate"])
def test_parts_that_disagree_are_named_with_file_and_field(sound, tmp_path, command, name):
    board, change, sentence = TORN[name]
    folder = changed(sound, tmp_path, board, change, teams=("team1",))
    words = ["--reports", str(folder)] if command == "rank" else [str(folder), "--datasets", "50"]
    found = CliRunner().invoke(app, [command, "--challenge", str(FILE), *words])
    said = " ".join(found.output.split())
    assert found.exit_code == 1, found.output
    assert sentence in said
    assert f"team1/open/{board}.json" in said
    assert "score again" in said


def test_reports_that_agree_with_themselves_but_not_with_each_other_name_the_team(sound, tmp_path):
    few = set_at("metrics", "auroc", "influence", to=lambda values: values[:5])
    folder = changed(sound, tmp_path, "task1", few, teams=("team1",))
    for words in (["rank", "--reports"], ["calibrate", "--datasets", "50"]):
        found = CliRunner().invoke(app, [words[0], "--challenge", str(FILE), *words[1:], str(folder)])
        assert found.exit_code == 1, found.output
        assert "team1: the report of task1 has influence values of 5 subjects" in found.output


def test_numbers_that_no_computer_can_square_are_not_simulated(sound, tmp_path):
    def huge(content):
        content["metrics"]["mae"].update(value=1e308, influence=[1e308] * 30, replicates=[1e308] * 1000)

    folder = changed(sound, tmp_path, "task3", huge)
    for path in (Path("task1"), Path("task2"), Path("task6"), Path("task7")):
        for file in folder.rglob(f"{path}.json"):
            file.unlink()
    found = CliRunner().invoke(app, ["calibrate", "--challenge", str(FILE), "--datasets", "50", str(folder)])
    said = " ".join(found.output.split())
    assert found.exit_code == 0, found.output
    assert "mae of task3 (team0, team1): its numbers are over 1e100" in said
    assert "places of all boards: its numbers are over 1e100" in said
