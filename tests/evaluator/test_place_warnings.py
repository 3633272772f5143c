"""A constant embedding takes no prize by being fair, and what takes meaning from a place is said beside it."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from evaluator.cli import app
from evaluator.scoring import score_board
from evaluator.spec import load_challenge, merge
from tests.evaluator.datasets import CHALLENGES, ONE_SEED, RANKED, SMALL_PROBE, embeddings, numbers

FOMO26 = CHALLENGES / "fomo26" / "challenge.yaml"
AGES = {"Arcus": 2, "Bulbus": 4, "Institute": 6, "Équipe Pons": 8, "Gyrus": 20}
"""How many years each team is off; Fornix has nothing on task3."""
EMBEDDINGS = {"Arcus": 0.1, "Bulbus": 0.5, "Institute": 0.9, "Fornix": 0.7, "Gyrus": 50, "Équipe Pons": None}
"""The noise of each team's embeddings; None: a constant one."""


def overlay(folder: Path, change) -> Path:
    """FOMO26 with a probe that fits 16 subjects per cohort, few seeds and resamples, and a change of task7."""
    few = {"probe": {**SMALL_PROBE, "seeds": [42, 43, 44], "learning_rates": [0.01, 0.1]}}
    few["bootstrap"] = {"resamples": 200}
    path = folder / "overlay.yaml"
    boards = {"task3": {"bootstrap": {"resamples": 200}}, "task6": few, "task7": merge(few, change)}
    path.write_text(yaml.safe_dump({"boards": boards}))
    return path


def season(root: Path, change) -> tuple[Path, Path]:
    """Six teams of whom one writes a constant embedding: what `score` makes of their files, and the overlay."""
    file = overlay(root, change)
    challenge = load_challenge(FOMO26, file)
    reports = root / "reports"
    for team in {**AGES, **EMBEDDINGS}:
        folder = root / team
        folder.mkdir()
        data = {}
        if team in AGES:
            truth = np.linspace(30, 80, 20)
            off = AGES[team] * np.random.default_rng(1).normal(1, 0.3, 20) * np.tile([1, -1], 10)
            data["task3"] = numbers(folder / "ages", "task3", truth, truth + off)
        data["task6"] = found = embeddings(folder / "embeddings", distance=2)
        for number, row in enumerate(found.rows):
            vector = np.eye(3)[number % 3]
            noise = EMBEDDINGS[team]
            made = np.ones(3) if noise is None else vector + np.random.default_rng(number).normal(0, noise, 3)
            found.predict(row["case"], made)
        target = reports / team / "open"
        target.mkdir(parents=True)
        for board in ("task3", "task6", "task7"):
            dataset = data.get(challenge.boards[board].task)
            if dataset is None:
                continue
            report = score_board(challenge, board, dataset.save(), dataset.references, dataset.predictions)
            (target / f"{board}.json").write_text(report.model_dump_json())
    (reports / "teams.csv").write_text("team,is_baseline,eligible\nInstitute,,no\n", encoding="utf-8")
    return reports, file


def rank(reports, file, *more, command="rank"):
    found = CliRunner().invoke(
        app,
        [command, "--challenge", str(FOMO26), "--overlay", str(file), "--reports", str(reports), *more],
        env={"COLUMNS": "300"},
    )
    assert found.exit_code == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return season(tmp_path_factory.mktemp("shipped"), {})


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return season(tmp_path_factory.mktemp("recipe"), merge(ONE_SEED, RANKED))


def test_a_constant_embedding_takes_no_prize_under_the_shipped_file(shipped):
    found = json.loads(rank(*shipped, "--json"))
    teams = {one["team"]: one for one in found["tracks"]["open"]}
    assert teams["Équipe Pons"]["prize"] is None
    assert teams["Équipe Pons"]["metric_ranks"]["task7"] == {"fairness_auroc": 5, "fairness_f1": 5}
    assert [teams[team]["prize"] for team in ("Arcus", "Bulbus", "Fornix")] == [
        "500 USD",
        "300 USD",
        "200 USD",
    ]
    warned = found["comparison"]["open"]["warnings"]
    unscored = [one for one in warned if one["kind"] == "not_scored"]
    assert [one["metrics"] for one in unscored] == [["fairness_auroc", "fairness_f1"]]
    assert [one["teams"] for one in unscored] == [["Gyrus", "Équipe Pons"]]
    assert not [one for one in warned if one["kind"] in ("uninformative", "one_seed")]


def test_under_the_organizers_recipe_it_takes_one_and_the_warning_stands_beside_place_and_prize(recipe):
    found = json.loads(rank(*recipe, "--json"))
    teams = {one["team"]: one for one in found["tracks"]["open"]}
    assert teams["Équipe Pons"]["prize"] == "200 USD"
    assert teams["Équipe Pons"]["metric_ranks"]["task7"]["fairness_auroc"] == 1
    compared = found["comparison"]["open"]
    kinds = {(one["kind"], one["board"]) for one in compared["warnings"]}
    assert {("uninformative", "task7"), ("one_seed", "task7")} <= kinds
    assert ("one_seed", "task6") not in kinds
    prizes = [one for one in compared["prizes"]["warnings"] if one["kind"] == "uninformative"]
    assert prizes
    assert all(one["teams"] == ["Équipe Pons"] for one in prizes)


def test_terminal_and_page_show_the_warnings_with_the_places_and_with_the_prizes(recipe, tmp_path):
    told = rank(*recipe)
    fair = "may be fair only because nothing was learnt, for macro OvR AUROC and macro F1 over all cases are not shown"
    seed = "Fairness of the linear probe: one seed of the probe decides"
    places, _, prizes = told.partition("wins 200 USD")
    assert f"Warning: fairness of OvR AUROC and fairness of F1: Gyrus, Équipe Pons {fair}" in places
    assert f"Warning: {seed}" in places
    assert f"Of those who win: fairness of OvR AUROC and fairness of F1: Équipe Pons {fair}" in prizes
    assert f"Of those who win: {seed}" in prizes
    page = tmp_path / "results.html"
    rank(*recipe, "--out", str(page), command="report")
    html = page.read_text(encoding="utf-8")
    assert "Score: their mean." in html
    assert "Score: the value of seed 42." in html
    before, _, after = html.partition("<h4>Prizes</h4>")
    assert (
        f"<strong>Warning.</strong> fairness of OvR AUROC and fairness of F1: Gyrus, Équipe Pons {fair}"
        in before
    )
    assert f"Of those who win: fairness of OvR AUROC and fairness of F1: Équipe Pons {fair}" in after


def test_values_alone_tell_which_boards_one_seed_decides(tmp_path):
    file = overlay(tmp_path, ONE_SEED)
    scores = tmp_path / "scores.csv"
    scores.write_text("team,track,task,metric,value\nArcus,open,task7,fairness_auroc,0.9\n")
    found = CliRunner().invoke(
        app, ["rank", "--challenge", str(FOMO26), "--overlay", str(file), "--scores", str(scores)]
    )
    assert "Warning: Fairness of the linear probe: one seed of the probe decides" in found.stdout
    assert "Linear probe on frozen embeddings: one seed" not in found.stdout
