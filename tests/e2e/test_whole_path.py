"""From an image to a place on the leaderboard, over HTTP, for all six tasks."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluator.signing import verify
from evaluator.spec import Challenge
from tests.e2e.conftest import FOMO26, HERE, WEIGHTS, Join
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person

LEADERBOARD = "/challenges/fomo26/leaderboards/validation"
SNAPSHOT = HERE / "snapshot.json"


@pytest.fixture(scope="session")
def answers(
    fomo26: Challenge, perfect: Person, join: Join, honest: Path, image: Callable[..., Path], admin: Person
) -> Json:
    """The perfect team's submission and the baseline's, both ended, by team."""
    weak = join("Our method")
    standing = admin.http.patch(f"/admin/teams/{weak.team}", json={"baseline": True, "name": "Baseline"})
    assert standing.status_code == 200, standing.text
    sent = {}
    for person, archive in ((perfect, honest), (weak, image(HERE / "honest.py", "ANSWERS=constant"))):
        upload = person.upload(archive)
        assert upload["status"] == "ready", upload
        digest: str = upload["image"]
        sent[person] = person.submitted(dict.fromkeys(fomo26.tasks, digest))
    return {"perfect": perfect.wait(sent[perfect]), "baseline": weak.wait(sent[weak])}


def test_one_image_is_scored_on_all_six_tasks(answers: Json, fomo26: Challenge) -> None:
    evaluations = {one["task"]: one for one in answers["perfect"]["evaluations"]}
    assert set(evaluations) == set(fomo26.tasks)
    for task, one in evaluations.items():
        assert (one["status"], one["reason"]) == ("scored", None)
        assert one["verdicts"] == {"valid": 12 if task == "task6" else 4}
        assert one["progress"] == 10
        assert set(one["scores"]) == set(fomo26.boards_of(task))


@pytest.mark.parametrize(
    ("task", "board", "metric", "value"),
    [
        ("task1", "task1", "auroc", 1.0),
        ("task2", "task2", "dsc", 1.0),
        ("task2", "task2", "nsd", 1.0),
        ("task3", "task3", "mae", 0.0),
        ("task3", "task3", "correlation", 1.0),
        ("task4", "task4", "dsc", 1.0),
        ("task4", "task4", "nsd", 1.0),
        ("task5", "task5", "auroc", 1.0),
        ("task6", "task6", "ovr_auroc", 1.0),
        ("task6", "task6", "f1", 1.0),
    ],
)
def test_right_answers_score_full_marks(
    answers: Json, task: str, board: str, metric: str, value: float
) -> None:
    """No case is mixed up with another on its way through container, store and scoring."""
    evaluation = next(one for one in answers["perfect"]["evaluations"] if one["task"] == task)
    assert evaluation["scores"][board][metric]["value"] == pytest.approx(value, abs=1e-3)


def test_one_submission_is_found_in_every_log_from_its_request_to_its_scores(
    answers: Json, platform: Installation, fomo26: Challenge, admin: Person
) -> None:
    submission = answers["perfect"]["id"]
    lines = {
        path.stem: [line for line in path.read_text().splitlines() if submission in line]
        for path in (platform.data / "logs").iterdir()
    }

    def with_(program: str, event: str) -> list[str]:
        of = [line for name, found in lines.items() if name.startswith(program) for line in found]
        return [line for line in of if event in line]

    (submitted,) = with_("server", "submitted")
    (request,) = re.findall(r"request=(\w+)", submitted)
    events = admin.get(f"/admin/events?subject=submission&id={submission}")["items"]
    assert [event["why"] for event in events if event["what"] == "submitted"] == [f"request {request}"]
    cases = sum(evaluation["cases"] for evaluation in answers["perfect"]["evaluations"])
    leased, begun = with_("server", "case_leased"), with_("run-", "case_begun")
    assert len(with_("server", "case_settled")) == len(with_("run-", "case_done")) == cases
    assert len(with_("score-", "scored")) == len(fomo26.tasks)
    for line in begun:
        (claim,) = re.findall(r"case_run=(\S+)", line)
        assert any(claim in other for other in leased)
        assert re.search(rf"container=\S+{claim}", line), "the container's name holds the claim"


def test_each_scored_task_spends_one_attempt(answers: Json, perfect: Person, fomo26: Challenge) -> None:
    for task in fomo26.tasks:
        quota = perfect.quota(task)
        assert (quota["spent"], quota["reserved"], quota["left"]) == (1, 0, 2)
    assert perfect.quota("task1", track="method")["left"] == 3


def test_the_leaderboard_has_seven_boards_and_an_unranked_baseline(
    answers: Json, stranger: Person, fomo26: Challenge
) -> None:
    board = stranger.get(LEADERBOARD)
    track = next(one for one in board["tracks"] if one["track"] == "open")
    assert [one["board"] for one in track["boards"]] == list(fomo26.boards)
    assert len(track["boards"]) == 7
    for one in track["boards"]:
        assert [(entry["team"], entry["baseline"], entry["rank"]) for entry in one["entries"]] == [
            ("Perfect", False, 1.0),
            ("Baseline", True, None),
        ]
    places = {one["team"]: one["placement"] for one in track["unified"]}
    assert places == {"Perfect": 1, "Baseline": None}


def test_a_checkpoint_as_the_template_declares_it_is_compared_and_shows_on_the_board_and_in_receipts(
    answers: Json, admin: Person, stranger: Person, running: Installation
) -> None:
    track = next(one for one in stranger.get(LEADERBOARD)["tracks"] if one["track"] == "open")
    marks = {one["team"]: one["checkpoint"] for one in track["unified"]}
    assert marks == {"Perfect": "one_for_all", "Baseline": "not_declared"}
    page = httpx.get(f"{running.url}{LEADERBOARD}?track=open").text
    assert ">one for all</td>" in page
    assert ">not declared</td>" in page
    held = {"state": "verified", "sha256": f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"}
    none = {"state": "not_declared", "sha256": None}
    for team, said in {"perfect": held, "baseline": none}.items():
        for one in answers[team]["evaluations"]:
            statement = admin.get(f"/admin/evaluations/{one['id']}/receipt")["statement"]
            assert statement["checkpoint"] == said


def test_the_csv_is_accepted_by_the_rank_command(answers: Json, running: Installation, place: Path) -> None:
    answer = httpx.get(f"{running.url}/api/v1{LEADERBOARD}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 2 * 12  # seven boards with twelve metrics, for two teams
    file = place / "board.csv"
    file.write_text(answer.text)
    command = [sys.executable, "-m", "evaluator", "rank", "--challenge", str(FOMO26), "--scores", str(file)]
    ranked = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
    assert {one["team"]: one["placement"] for one in ranked["tracks"]["open"]} == {
        "Perfect": 1,
        "Baseline": None,
    }


def test_the_page_shows_the_board_before_any_script_runs(answers: Json, running: Installation) -> None:
    page = httpx.get(f"{running.url}{LEADERBOARD}")
    assert page.status_code == 200
    assert "Perfect" in page.text
    assert "Baseline" in page.text
    assert not re.search(r"<script(?![^>]* src=\"/assets/)", page.text), "nothing inline"
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_receipts_are_signed_and_say_what_ran(answers: Json, admin: Person, perfect: Person) -> None:
    key = perfect.http.get("/receipts/key").json()["key"]
    for evaluation in answers["perfect"]["evaluations"]:
        path = f"/admin/evaluations/{evaluation['id']}/receipt"
        assert perfect.http.get(path).status_code == 403, "it holds the times of single cases"
        receipt = admin.http.get(path).json()
        assert verify(receipt["statement"], receipt["signature"], key)
        assert receipt["statement"]["image"] == evaluation["image"]
        assert {case["verdict"] for case in receipt["statement"]["cases"]} == {"valid"}
        assert not verify({**receipt["statement"], "team": "another"}, receipt["signature"], key)


def test_the_admin_commands_find_the_running_installation(platform: Installation) -> None:
    said = platform.admin("apply", str(FOMO26), "--overlay", str(HERE / "overlay.yaml"))
    assert said.startswith("fomo26: unchanged, version sha256:")


def test_verdicts_scores_ranks_and_receipts_are_those_of_the_stored_snapshot(
    answers: Json, stranger: Person, admin: Person
) -> None:
    """What the platform makes of fixed answers is what it always made of them, whatever was rebuilt meanwhile."""
    board = stranger.get(LEADERBOARD)
    made = {
        "evaluations": {team: _evaluations(answers[team]) for team in ("perfect", "baseline")},
        "ranks": _ranks(next(one for one in board["tracks"] if one["track"] == "open")),
        "receipts": {team: _receipts(answers[team], admin) for team in ("perfect", "baseline")},
    }
    if os.environ.get("PROCTOR_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    assert _rounded(made) == _rounded(json.loads(SNAPSHOT.read_text()))


def _evaluations(submission: Json) -> Json:
    kept = ("status", "reason", "verdicts", "progress", "cases", "scores")
    return {one["task"]: {name: one[name] for name in kept} for one in submission["evaluations"]}


def _ranks(track: Json) -> Json:
    boards = {
        board["board"]: {entry["team"]: [entry["rank"], entry["metrics"]] for entry in board["entries"]}
        for board in track["boards"]
    }
    return {"unified": {one["team"]: one["placement"] for one in track["unified"]}, "boards": boards}


def _receipts(submission: Json, admin: Person) -> Json:
    """What does not differ from one installation to the next: no ids, times, keys or digests of images."""
    kept = ("receipt", "task", "track", "phase", "scores")
    receipts = {}
    for one in submission["evaluations"]:
        statement = admin.get(f"/admin/evaluations/{one['id']}/receipt")["statement"]
        # In the order of their outputs, for pseudonyms come from the installation's secret key.
        cases = sorted([case["verdict"], case["output"], _said(case["run"])] for case in statement["cases"])
        names = sorted(statement)
        receipts[one["task"]] = {name: statement[name] for name in kept} | {"cases": cases, "names": names}
    return receipts


def _said(run: Json) -> list[str]:
    """What a run worker says of a case, but for the mark that a busy machine's clocks may earn it."""
    return sorted(set(run) - {"implausible"})


def _rounded(value: Any) -> Any:
    """`value` with twelve digits of each number: the last ones are the processor's."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value
