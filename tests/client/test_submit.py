"""Submitting, watching and reading results through the command, against the running server."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from client import events
from client.api import Client
from contract.statuses import EvaluationStatus
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Score
from server.evaluations.scoring import bases
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Participant, Server

Status = EvaluationStatus
OPEN = ("--track", "method", "--phase", "validation")


def submitted(output: str) -> str:
    """The id that `submit` prints."""
    return re.findall(r"Submitted .*: ([0-9a-f-]{36})", output)[-1]


def end(
    server: Server, submission: str, status: Status, *, code: str | None = None, why: str | None = None
) -> None:
    """What workers do to the evaluations of a submission, as far as its participant sees it."""
    with unit_of_work(server.sessions) as session:
        for one in session.query(Evaluation).filter_by(submission_id=UUID(submission)):
            path = [Status.RUNNING, Status.SCORING] if status is Status.SCORED else []
            for step in [*path, status]:
                one.move_to(session, step, actor="tests", code=code, why=why)
            if status is Status.SCORED:
                one.scored_with = bases(one.spec_version.spec, one.task)
                one.scores.append(
                    Score(
                        board=one.task,
                        metric="auroc",
                        value=0.875,
                        low=0.7,
                        high=0.95,
                        reason=None,
                        replicates=b"",
                    )
                )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    image_archive(tmp_path / "image.tar", noise=4096)
    return tmp_path / "image.tar"


def test_one_image_serves_all_tasks_and_is_uploaded_once(mine: Cli, server: Server, archive: Path) -> None:
    done = mine("submit", archive, *OPEN)
    assert done.exit_code == 0, done.output
    assert done.output.count("Uploading") == 1
    with Client(server.url, os.environ["PROCTOR_TOKEN"]) as client:
        submission = client.submission(submitted(done.output))
    assert [one.task for one in submission.evaluations] == [f"task{number}" for number in range(1, 7)]


def test_every_task_may_have_its_own_image(mine: Cli, server: Server, archive: Path, tmp_path: Path) -> None:
    image_archive(tmp_path / "other.tar", noise=640)
    done = mine("submit", "-i", f"task1={archive}", "--image", f"task5={tmp_path / 'other.tar'}", *OPEN)
    assert done.exit_code == 0, done.output
    with Client(server.url, os.environ["PROCTOR_TOKEN"]) as client:
        submission = client.submission(submitted(done.output))
    assert {one.task for one in submission.evaluations} == {"task1", "task5"}


def test_an_image_on_the_server_is_submitted_by_its_digest(mine: Cli, archive: Path) -> None:
    digest = image_archive(archive, noise=4096)
    assert mine("submit", archive, "-t", "task1", *OPEN).exit_code == 0
    again = mine("submit", digest, "-t", "task2", *OPEN)
    assert again.exit_code == 0, again.output
    assert "Uploading" not in again.output


@pytest.fixture
def local_image(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /app/predict.py\n")
    name = f"proctor-client-test:{uuid4().hex}"
    environment = os.environ | {"DOCKER_BUILDKIT": "0"}
    build = ["docker", "build", "-qt", name, tmp_path]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, env=environment)
    yield name
    subprocess.run(["docker", "rmi", "--force", name], check=True, capture_output=True)


def test_a_local_image_is_saved_and_uploaded_by_its_name(mine: Cli, local_image: str) -> None:
    done = mine("submit", local_image, "-t", "task1", *OPEN)
    assert done.exit_code == 0, done.output
    again = mine("submit", local_image, "-t", "task2", *OPEN)
    assert "is on the server already" in again.output


def test_watch_tells_scripts_how_it_ended(mine: Cli, server: Server, archive: Path) -> None:
    endings = [
        (Status.SCORED, None, 0, "0.875"),
        (Status.REJECTED, "every_case_failed", 1, "all three cases: timeout"),
        (Status.ERRORED, "scorer_failed", 3, "scorer_failed"),
        (Status.CANCELLED, None, 4, "CANCELLED"),
    ]
    for status, code, expected, words in endings:
        submission = submitted(mine("submit", archive, "-t", "task1", *OPEN, "--again").output)
        end(server, submission, status, code=code, why="all three cases: timeout" if code else None)
        done = mine("watch", submission)
        assert (done.exit_code, words in done.output) == (expected, True), done.output
    shown = mine("watch", submission, "--json")
    assert json.loads(shown.stdout)["evaluations"][0]["status"] == "cancelled"


def test_watch_follows_the_newest_and_gives_up_in_time(mine: Cli, archive: Path) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", *OPEN).output)
    done = mine("watch", "--timeout", "0.3", "--interval", "0.1")
    assert done.exit_code == 7
    assert submission in done.output
    assert done.stderr.count("task1 QUEUED 0 %") == 1
    assert done.stderr.count("What happens on hidden cases shows late and in steps") == 1
    assert "Waits: no worker is there, and none has offered 32 CPUs" in done.stderr
    assert "the organizers see it" in done.stderr
    as_json = mine("watch", "--timeout", "0.3", "--interval", "0.1", "--json")
    assert as_json.exit_code == 7
    assert json.loads(as_json.stdout)["evaluations"][0]["status"] == "queued"


def test_watch_is_told_by_the_server_and_asks_for_nothing_meanwhile(
    mine: Cli, server: Server, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", *OPEN, "--again").output)
    monkeypatch.setattr(events, "next_state", None)  # what looks instead
    later = threading.Timer(1.0, end, (server, submission, Status.SCORED))
    later.start()
    done = mine("watch", submission)
    later.join()
    assert (done.exit_code, "0.875" in done.stdout) == (0, True), done.output
    assert done.stderr.count("task1 QUEUED 0 %") == 1


def test_submit_can_watch_at_once(mine: Cli, archive: Path) -> None:
    first = mine("submit", archive, "-t", "task1", *OPEN, "--key", "one")
    with Client(os.environ["PROCTOR_URL"], os.environ["PROCTOR_TOKEN"]) as client:
        client.cancel(client.submission(submitted(first.output)).evaluations[0].id)
    done = mine("submit", archive, "-t", "task1", *OPEN, "--key", "one", "--watch")
    assert submitted(done.output) == submitted(first.output)
    assert done.exit_code == 4


def test_quota_counts_down(mine: Cli, server: Server, archive: Path) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", *OPEN).output)
    end(server, submission, Status.SCORED)
    rows = json.loads(mine("quota", "--json").stdout)
    row = next(
        row for row in rows if (row["phase"], row["track"], row["task"]) == ("validation", "method", "task1")
    )
    assert (row["spent"], row["reserved"], row["left"]) == (1, 0, 2)
    shown = mine("quota").output
    assert "2 of 3" in shown
    assert "sanity" in shown
    assert "test: not open yet" in shown
    narrowed = mine("quota", "--phase", "validation").output
    assert "2 of 3" in narrowed
    assert "sanity" not in narrowed
    assert mine("quota", "--phase", "final").exit_code == 5


def test_a_submission_and_an_evaluation_can_be_cancelled(mine: Cli, server: Server, archive: Path) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", "-t", "task2", *OPEN).output)
    with Client(server.url, os.environ["PROCTOR_TOKEN"]) as client:
        first = client.submission(submission).evaluations[0]
    done = mine("cancel", first.id)
    assert (done.exit_code, done.output) == (0, f"{first.task}: CANCELLED\n")
    done = mine("cancel", submission)
    assert (done.exit_code, done.output.count("CANCELLED")) == (0, 1), done.output
    assert mine("cancel", submission).exit_code == 5
    begun = mine("cancel", submission[:8])
    assert (begun.exit_code, "submission_id: is no id; give the whole of it" in begun.output) == (5, True)
    assert mine("cancel", str(uuid4())).exit_code == 5


def test_boards_are_shown_without_a_team(cli: Cli, server: Server, slug: str) -> None:
    email = f"{uuid4().hex}@example.org"
    cli("register", server.url, "--name", "Bo", "--email", email, input="long password\n" * 2)
    done = cli("results", "-c", slug)
    assert done.exit_code == 0, done.output
    assert "proctor team join CODE" in done.output


def test_results_show_own_scores_and_the_leaderboards(mine: Cli, server: Server, archive: Path) -> None:
    submission = submitted(mine("submit", archive, "-t", "task1", *OPEN).output)
    end(server, submission, Status.SCORED)
    done = mine("results")
    assert done.exit_code == 0, done.output
    assert "0.7 – 0.95" in done.output
    assert "The First" in done.output
    content = json.loads(mine("results", "--json").stdout)
    assert content["leaderboards"][0]["tracks"][0]["unified"][0]["team"] == "The First"
    assert mine("results", "--phase", "test").exit_code == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--track", "method", "--phase", "validation"], "Name an image"),
        (["x.tar", "--phase", "validation"], "--track"),
        (["x.tar", "--track", "method"], "--phase"),
        (["x.tar", "--track", "fast", "--phase", "validation"], "no track 'fast'"),
        (["x.tar", "-t", "task9", *OPEN], "no task 'task9'"),
        (["x.tar", "-t", "task7", *OPEN], "task7 is a board of task6: submit task6"),
        (["-i", "task1", *OPEN], "TASK=IMAGE"),
        (["x.tar", "-t", "task1", "-i", "task1=y.tar", *OPEN], "two images"),
        (["x.tar", "-c", "elsewhere", *OPEN], "no challenge 'elsewhere'"),
    ],
)
def test_wrong_usage_is_exit_code_2(mine: Cli, arguments: list[str], words: str) -> None:
    done = mine("submit", *arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output


def test_what_the_server_refuses_is_exit_code_5(mine: Cli, archive: Path) -> None:
    closed = mine("submit", archive, "-t", "task1", "--track", "method", "--phase", "test")
    assert (closed.exit_code, "takes no submissions now" in closed.output) == (5, True), closed.output
    unknown = mine("watch", str(uuid4()))
    assert (unknown.exit_code, "no such submission" in unknown.output) == (5, True)


def test_a_refused_image_is_exit_code_1_and_says_why(
    mine: Cli, participant: Participant, tmp_path: Path
) -> None:
    image_archive(tmp_path / "arm.tar", architecture="arm64")
    done = mine("submit", tmp_path / "arm.tar", "-t", "task1", *OPEN)
    assert (done.exit_code, "wrong_architecture" in done.output) == (1, True), done.output


def test_a_missing_image_is_exit_code_6(mine: Cli) -> None:
    assert mine("submit", "missing.tar", "-t", "task1", *OPEN).exit_code == 6
    done = mine("submit", "no-such-image:ever", "-t", "task1", *OPEN)
    assert (done.exit_code, "docker images" in done.output) == (6, True)
