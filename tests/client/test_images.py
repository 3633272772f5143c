"""A team's images on the server, through the command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from server.database import unit_of_work
from server.evaluations.worker_models import WorkerSlot
from server.ids import new_id
from tests.client.archives import image_archive
from tests.client.conftest import Cli, Server
from tests.client.test_submit import submitted


def test_a_team_sees_what_its_images_take_and_removes_one(mine: Cli, tmp_path: Path) -> None:
    image_archive(tmp_path / "image.tar", noise=4096)
    done = mine("submit", str(tmp_path / "image.tar"), "--track", "method", "--phase", "validation")
    assert done.exit_code == 0, done.output
    shown = mine("images", env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    (digest,) = [line.split()[0] for line in shown.output.splitlines() if line.startswith("sha256:")]
    assert len(digest) == len("sha256:") + 64
    assert "B, since 20" in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert "of 200.0 GiB are used" in shown.output
    refused = mine("images", "--remove", digest[7:19])
    assert (refused.exit_code != 0, "is queued" in refused.output) == (True, True), refused.output
    assert mine("cancel", submitted(done.output)).exit_code == 0
    removed = mine("images", "--remove", digest[7:19])
    assert (removed.exit_code, f"{digest} is removed" in removed.output) == (0, True), removed.output
    assert "0 bytes of 200.0 GiB are used" in removed.output
    again = mine("images", "--remove", digest)
    assert "No image of your team begins with" in again.output


@pytest.fixture
def gpu(server: Server) -> Iterator[None]:
    """A slot with a GPU whose driver takes CUDA 12.8 was seen."""
    has = {"cpus": 8.0, "memory": 2**36, "gpus": 1, "gpu_memory": 2**37, "gpu_cuda": "12.8"}
    with unit_of_work(server.sessions) as session:
        session.add(WorkerSlot(worker_id=new_id(), name="gpu", **has))
    yield
    with unit_of_work(server.sessions) as session:
        session.execute(delete(WorkerSlot))


@pytest.mark.usefixtures("gpu")
def test_a_cuda_that_is_too_new_is_said_when_the_image_is_checked_and_with_its_images(
    mine: Cli, tmp_path: Path
) -> None:
    digest = image_archive(tmp_path / "image.tar", environment=["NVIDIA_REQUIRE_CUDA=cuda>=13.0"])
    done = mine("submit", str(tmp_path / "image.tar"), "--track", "method", "--phase", "validation")
    assert done.exit_code == 0, done.output
    said = "asks for CUDA 13.0 or newer, and the drivers of this platform's GPUs go up to CUDA 12.8."
    assert said in " ".join(done.output.split())
    assert said in " ".join(mine("images").output.split())
    assert mine("cancel", submitted(done.output)).exit_code == 0
    again = mine("submit", digest, "--track", "method", "--phase", "validation")
    assert (again.exit_code, said in " ".join(again.output.split())) == (0, True), again.output
    assert mine("cancel", submitted(again.output)).exit_code == 0
