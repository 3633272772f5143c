"""The example challenges of points and tables on the whole platform: cases, image, containers, scores, receipt."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.spec import load_challenge
from tests.e2e.installation import Installation
from tests.e2e.people import Json, register
from worker.embedded.data import CHECKOUT

PROGRAM = Path(__file__).with_name("marks.py")


@pytest.fixture(scope="module")
def archive(image: Callable[..., Path]) -> Path:
    return image(PROGRAM)


def scored(
    running: Installation, archive: Path, challenge: str, tasks: dict[str, list[str]], folder: Path
) -> Json:
    """Each task's evaluation of the program on cases that the challenge's own maker writes with these words."""
    home = CHECKOUT / "challenges" / challenge
    running.apply(load_challenge(home / "challenge.yaml"))
    for task, words in tasks.items():
        command = [sys.executable, str(home / "make_cases.py"), str(folder / task), *words]
        subprocess.run(command, check=True)
        running.import_task(challenge, "test", task, folder / task)
    person = register(running.url, challenge, f"Team of {challenge}")
    upload = person.upload(archive)
    assert upload["status"] == "ready", upload
    ended = person.wait(person.submitted(dict.fromkeys(tasks, upload["image"]), track="all", phase="test"))
    board = person.get(f"/challenges/{challenge}/leaderboards/test")
    person.http.close()
    evaluations = {one["task"]: one for one in ended["evaluations"]}
    assert {one["status"] for one in evaluations.values()} == {"scored"}, ended
    ranked = [row["team"] for track in board["tracks"] for row in track["unified"]]
    assert ranked == [f"Team of {challenge}"], board
    return evaluations


def test_points_of_containers_are_scored(running: Installation, archive: Path, tmp_path: Path) -> None:
    tasks = {
        "landmarks": ["--task", "landmarks", "--cases", "2"],
        "lesions": ["--task", "lesions", "--cases", "3", "--seed", "1"],
    }
    found = scored(running, archive, "detection", tasks, tmp_path)
    landmarks, lesions = found["landmarks"]["scores"]["landmarks"], found["lesions"]["scores"]["lesions"]
    assert landmarks["mre"]["value"] == pytest.approx(
        15
    )  # 0 mm of the one, 30 mm of the other that is missing
    assert landmarks["sdr"]["value"] == pytest.approx(0.5)
    assert {key: lesions[key]["value"] for key in ("froc", "one")} == {"froc": 1.0, "one": 1.0}
    assert lesions["f1"]["value"] == pytest.approx(1)


def test_tables_of_containers_are_scored(running: Installation, archive: Path, tmp_path: Path) -> None:
    found = scored(running, archive, "survival", {"outcome": ["--cases", "6"]}, tmp_path)["outcome"]["scores"]
    assert found["biomarkers"]["volume_mae"]["value"] == 0
    assert found["biomarkers"]["volume_r2"]["value"] == 1
    assert found["biomarkers"]["grade"]["value"] == 1
    assert 0.8 < found["survival"]["c_index"]["value"] <= 1
