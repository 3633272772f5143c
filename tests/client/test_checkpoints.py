"""What `proctor submit` says of pretrained checkpoints before anything is sent."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server
from tests.client.test_submit import OPEN, end, submitted

ONE, TWO = b"weights of one", b"weights of two"
Archive = Callable[..., Path]


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Writes the archive of an image with a name of its own."""

    def write(name: str, **holding: bytes | None) -> Path:
        image_archive(tmp_path / f"{name}.tar", noise=640, **holding)
        return tmp_path / f"{name}.tar"

    return write


@pytest.fixture
def required(server: Server, spec: Challenge, slug: str) -> None:
    """The challenge requires a checkpoint."""
    with unit_of_work(server.sessions) as session:
        apply(session, spec.model_copy(update={"challenge": slug, "checkpoint": "required"}), actor="tests")


def plain(said: str) -> str:
    """Without the line breaks of a terminal."""
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("holding", "said"),
    [
        ({}, "It declares no pretrained checkpoint."),
        ({"declares": ONE, "holds": TWO}, "write the label anew."),
    ],
)
@pytest.mark.usefixtures("required")
def test_an_image_without_its_checkpoint_is_refused_before_it_is_sent_where_one_is_required(
    mine: Cli, archive: Archive, holding: dict[str, bytes], said: str
) -> None:
    done = mine("submit", archive("image", **holding), "-t", "task1", *OPEN)
    assert done.exit_code == 5
    assert said in plain(done.output)
    assert "Nothing was uploaded." in plain(done.output)
    assert "Uploading" not in done.output


@pytest.mark.usefixtures("required")
def test_two_checkpoints_are_refused_before_either_image_is_sent_where_one_is_required(
    mine: Cli, archive: Archive
) -> None:
    first, second = archive("first", declares=ONE), archive("second", declares=TWO)
    done = mine("submit", "-i", f"task1={first}", "-i", f"task5={second}", *OPEN)
    assert done.exit_code == 5
    assert f"task1: {sha256(ONE)}; task5: {sha256(TWO)}" in plain(done.output)
    assert "Uploading" not in done.output


@pytest.mark.usefixtures("required")
def test_one_checkpoint_in_two_images_is_taken(mine: Cli, archive: Archive) -> None:
    first, second = archive("first", declares=ONE), archive("second", declares=ONE)
    done = mine("submit", "-i", f"task1={first}", "-i", f"task5={second}", *OPEN)
    assert done.exit_code == 0, done.output
    assert plain(done.output).count(f"its checkpoint /app/w.pt is verified: {sha256(ONE)}") == 2


def test_where_it_is_shown_the_command_says_what_the_board_will_say(mine: Cli, archive: Archive) -> None:
    first, second = archive("first", declares=ONE), archive("second", declares=TWO)
    none = mine("submit", archive("none"), "-t", "task2", "-t", "task3", *OPEN)
    assert none.exit_code == 0, none.output
    assert "It declares no pretrained checkpoint. The board will say so." in plain(none.output)
    both = mine("submit", "-i", f"task1={first}", "-i", f"task5={second}", *OPEN)
    assert both.exit_code == 0, both.output
    assert "the board will say that they differ: task1: sha256:" in plain(both.output)


def test_another_checkpoint_than_that_of_the_team_s_other_tasks_is_told(mine: Cli, archive: Archive) -> None:
    assert mine("submit", archive("first", declares=ONE), "-t", "task1", "-t", "task5", *OPEN).exit_code == 0
    same = mine("submit", archive("same", declares=ONE), "-t", "task3", *OPEN)
    assert "differ" not in same.output
    other = mine("submit", archive("other", declares=TWO), "-t", "task5", *OPEN)
    assert other.exit_code == 0, other.output
    told = f"Your other tasks on this track differ from that: task3, task1: {sha256(ONE)}."
    assert told in plain(other.output)


@pytest.fixture
def local_image(tmp_path: Path) -> Iterator[str]:
    """An image of the engine here whose labels declare a checkpoint."""
    name = f"proctor-client-test:{uuid4().hex}"
    labels = {"proctor.checkpoint.path": "/app/w.pt", "proctor.checkpoint.sha256": sha256(ONE)[7:]}
    lines = [f"LABEL {label}={value}" for label, value in labels.items()]
    (tmp_path / "w.pt").write_bytes(ONE)
    (tmp_path / "Dockerfile").write_text("\n".join(["FROM scratch", "COPY w.pt /app/w.pt", *lines]))
    subprocess.run(["docker", "build", "-qt", name, tmp_path], check=True, stdout=subprocess.DEVNULL)
    yield name
    subprocess.run(["docker", "rmi", "--force", name], check=True, capture_output=True)


@pytest.mark.usefixtures("required")
def test_of_a_local_image_its_labels_are_read_and_of_a_known_one_what_the_server_found(
    mine: Cli, local_image: str
) -> None:
    done = mine("submit", local_image, "-t", "task1", *OPEN)
    assert done.exit_code == 0, done.output
    assert f"declares the checkpoint {sha256(ONE)}; the server looks for the file." in plain(done.output)
    again = mine("submit", local_image, "-t", "task2", *OPEN)
    assert f"its checkpoint /app/w.pt is verified: {sha256(ONE)}" in plain(again.output)


def test_the_scored_image_counts_until_a_newer_one_has_ended(
    mine: Cli, server: Server, archive: Archive
) -> None:
    first, second = archive("first", declares=ONE), archive("second", declares=TWO)
    end(server, submitted(mine("submit", first, "-t", "task1", *OPEN).output), EvaluationStatus.SCORED)
    newer = submitted(mine("submit", second, "-t", "task1", *OPEN).output)
    told = f"differ from that: task1: {sha256(ONE)}."
    assert told in plain(mine("submit", second, "-t", "task2", *OPEN).output)
    end(server, newer, EvaluationStatus.SCORED)
    done = mine("submit", second, "-t", "task3", *OPEN)
    assert (done.exit_code, "differ from that" in done.output) == (0, False), done.output


def test_where_the_best_counts_an_older_image_may_be_it_and_no_annulled_one_is(
    mine: Cli, server: Server, spec: Challenge, slug: str, archive: Archive
) -> None:
    boards = {
        name: board.model_copy(update={"primary": next(iter(board.metrics))})
        for name, board in spec.boards.items()
    }
    ranking = spec.ranking.model_copy(update={"entry": "best"})
    changed = {"challenge": slug, "boards": boards, "ranking": ranking}
    with unit_of_work(server.sessions) as session:
        apply(session, spec.model_copy(update=changed), actor="tests")
    first, second = archive("first", declares=ONE), archive("second", declares=TWO)
    older = submitted(mine("submit", first, "-t", "task1", *OPEN).output)
    for sent in (older, submitted(mine("submit", second, "-t", "task1", *OPEN).output)):
        end(server, sent, EvaluationStatus.SCORED)
    told = f"differ from that: task1: {sha256(ONE)}."
    assert told in plain(mine("submit", second, "-t", "task2", *OPEN).output)
    with unit_of_work(server.sessions) as session:
        session.execute(
            update(Evaluation)
            .where(Evaluation.submission_id == UUID(older))
            .values(voided="annulled by a test")
        )
    done = mine("submit", second, "-t", "task3", *OPEN)
    assert (done.exit_code, "differ from that" in done.output) == (0, False), done.output
