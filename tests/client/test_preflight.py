"""What `submit` says before it saves, reads or uploads anything, and what Ctrl-C leaves behind."""

import lzma
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update

from client.errors import Exit, Problem
from client.preflight import Aim, require_attempts, require_open
from contract.challenges import PhaseOut
from contract.statuses import EvaluationStatus as Status
from contract.submissions import QuotaOut
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import Dataset, DatasetState
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server
from tests.client.test_submit import OPEN, end, submitted

TASK1 = ("-t", "task1", *OPEN)


@pytest.fixture
def archives(tmp_path: Path) -> list[Path]:
    """Four images that differ."""
    paths = [tmp_path / f"{number}.tar" for number in range(4)]
    for number, path in enumerate(paths, 1):
        image_archive(path, noise=512 * number)
    return paths


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--phase", "final"], "There is no phase 'final'. Phases: sanity, validation, test."),
        (["--phase", "test"], "Phase 'test' has no opening date yet; it takes no submissions now."),
        (["--phase", "validation", "--team", str(uuid4())], "team"),
    ],
)
def test_a_refusal_comes_before_the_image_is_looked_for(mine: Cli, arguments: list[str], words: str) -> None:
    done = mine("submit", "missing.tar", "-t", "task1", "--track", "method", *arguments)
    assert (done.exit_code, words in done.output) == (5, True), done.output


def test_without_attempts_nothing_is_uploaded(mine: Cli, server: Server, archives: list[Path]) -> None:
    *first, last = archives
    for archive in first:
        submission = submitted(mine("submit", archive, *TASK1, "--key", archive.name).output)
    end(server, submission, Status.SCORED)
    done = mine("submit", last, *TASK1)
    assert done.exit_code == 5
    assert "All 3 valid attempts on task1, track method, phase validation are taken: 1 scored" in done.output
    assert "Uploading" not in done.output
    again = mine("submit", archives[0], *TASK1, "--key", archives[0].name)
    assert again.exit_code == 0, again.output  # the same key is the same submission, which takes no attempt


def test_a_phase_without_cases_is_named_before_anything_is_uploaded(
    mine: Cli, server: Server, slug: str, archives: list[Path]
) -> None:
    with unit_of_work(server.sessions) as session:
        challenge = get_challenge(session, slug)
        superseded = update(Dataset).where(Dataset.challenge_id == challenge.id, Dataset.task == "task3")
        session.execute(superseded.values(state=DatasetState.SUPERSEDED.value))
    done = mine("submit", archives[0], "-t", "task1", "-t", "task3", *OPEN)
    assert done.exit_code == 5
    assert "Phase 'validation' has no cases for task3 yet" in done.output
    assert "Tasks with cases: task1, task2, task4, task5, task6." in done.output
    assert "Uploading" not in done.output


def test_tasks_that_share_their_attempts_take_one_each() -> None:
    tasks = ("task1", "task2")
    aim = Aim("fomo", "team", "method", "validation", tasks)
    quotas = [
        QuotaOut(task=task, track="method", phase="validation", valid=3, spent=2, reserved=0, left=1)
        for task in tasks
    ]
    require_attempts(quotas, aim, {"phases": {"validation": {"attempts": {"per": ["team", "task"]}}}})
    with pytest.raises(Problem, match="All 3 valid attempts on task2"):
        require_attempts(quotas, aim, {"phases": {"validation": {"attempts": {"per": ["team"]}}}})


def test_too_many_rejections_say_when_there_is_another() -> None:
    aim = Aim("fomo", "team", "method", "validation", ("task1",))
    spec = {"phases": {"validation": {"attempts": {"per": ["team", "task", "track"]}}}}
    quota = QuotaOut(
        task="task1",
        track="method",
        phase="validation",
        valid=3,
        spent=0,
        reserved=0,
        left=3,
        rejected_per_week=10,
        rejected=10,
        rejected_left=0,
        rejected_next_at=datetime(2026, 12, 3, 8, 30, tzinfo=UTC),
    )
    with pytest.raises(Problem, match=r"10 were.*2026-12-03 08:30 UTC") as caught:
        require_attempts([quota], aim, spec)
    assert caught.value.code == "too_many_rejected"
    require_attempts([quota.model_copy(update={"rejected_left": 1})], aim, spec)


def test_a_closed_phase_says_when() -> None:
    long_ago, far_off = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
    shared = {"hidden": True, "open": False, "attempts": None}
    over = PhaseOut(name="old", title="Old", opens=long_ago, closes=long_ago, **shared)
    with pytest.raises(Problem, match="'old' closed 2020-01-01 00:00 UTC"):
        require_open(over)
    just = datetime.now(UTC) - timedelta(minutes=1)
    require_open(
        over.model_copy(update={"closes": just, "grace_seconds": 3600})
    )  # the server knows what it takes
    with pytest.raises(Problem, match="closed 20"):
        require_open(over.model_copy(update={"closes": just, "grace_seconds": 30}))
    coming = PhaseOut(name="new", title="New", opens=far_off, closes=None, **shared)
    with pytest.raises(Problem, match="'new' opens 2999-01-01 00:00 UTC"):
        require_open(coming)


def test_the_identical_image_is_submitted_twice_only_on_purpose(
    mine: Cli, server: Server, archives: list[Path]
) -> None:
    image = archives[0]
    submission = submitted(mine("submit", image, *TASK1).output)
    done = mine("submit", image, *TASK1)
    assert (done.exit_code, f"QUEUED in {submission}" in done.output) == (2, True), done.output
    assert "--again" in done.output
    end(server, submission, Status.SCORED)
    assert f"SCORED in {submission}" in mine("submit", image, *TASK1).output
    assert mine("submit", image, "-t", "task2", *OPEN).exit_code == 0
    more = submitted(mine("submit", image, *TASK1, "--again").output)
    end(server, more, Status.REJECTED)
    end(server, submitted(mine("submit", image, "-t", "task3", *OPEN).output), Status.ERRORED)
    assert mine("submit", image, "-t", "task3", *OPEN).exit_code == 0  # what failed took no attempt


def test_a_terminal_is_asked_before_the_identical_image_runs_again(mine: Cli, archives: list[Path]) -> None:
    assert mine("submit", archives[0], *TASK1).exit_code == 0
    command = [sys.executable, "-m", "client.main", "submit", str(archives[0]), *TASK1]
    for answer, code, words in ((b"n\n", 2, b"Nothing was submitted."), (b"y\n", 0, b"Submitted task1")):
        keyboard, terminal = os.openpty()
        os.write(keyboard, answer)
        done = subprocess.run(command, stdin=terminal, capture_output=True, check=False, timeout=60)
        os.close(keyboard)
        os.close(terminal)
        assert b"Submit it again?" in done.stderr
        assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stderr


def test_ctrl_c_while_waiting_says_that_the_submission_goes_on(mine: Cli, archives: list[Path]) -> None:
    submission = submitted(mine("submit", archives[0], *TASK1).output)
    at_a_terminal = ["env", "--default-signal=INT"]  # whoever runs these tests may have it ignored
    command = [*at_a_terminal, sys.executable, "-m", "client.main", "watch", submission]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        assert "QUEUED" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        said = watching.stderr.read()
    assert f"The submission goes on: proctor watch {submission}" in said
    assert watching.returncode == 130
    assert "the same command" not in said


def test_what_is_no_image_is_refused_before_it_is_sent_in_the_servers_own_words(
    mine: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "image.tar.xz"
    path.write_bytes(lzma.compress(b"x" * 2000))
    done = mine("submit", path, *TASK1)
    said = " ".join(done.output.split())
    assert done.exit_code == Exit.REJECTED, done.output
    assert "refused (unsupported_compression): the archive is compressed with xz;" in said
    assert "Uploading" not in done.output
    image_archive(path, architecture="arm64")
    done = mine("submit", path, *TASK1)
    assert (done.exit_code, "linux/arm64" in done.output) == (Exit.REJECTED, True), done.output
