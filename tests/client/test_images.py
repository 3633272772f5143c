"""A team's images on the server, through the command."""

from pathlib import Path

from tests.client.archives import image_archive
from tests.client.conftest import Cli
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
