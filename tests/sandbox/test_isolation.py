"""What a container can reach, find and leave: nothing, while honest programs have all that they need."""

import dataclasses
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.images import build_image
from sandbox.jobs import CaseJob
from tests.hostile.images import SCRIPT, reconfigured
from tests.sandbox.conftest import Run


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server that listens on every address of this machine."""
    server = http.server.HTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_no_server_and_no_socket_of_the_host_is_reached(
    run: Run, load: Callable[[Path], str], base: str, listening: int
) -> None:
    env = {"PORTS": f"{listening},22,53,5432,6379", "BEHAVIOUR": "opens_sockets"}
    image = load(build_image({"/app/predict.py": SCRIPT.read_bytes()}, base, name="proctor-sockets", env=env))
    outcome = run(image=image)
    assert outcome.log == "reached:\n"
    assert outcome.verdict.code == "valid"


def test_a_case_finds_nothing_of_another_and_leaves_nothing_for_the_next(run: Run) -> None:
    for _ in range(2):
        outcome = run("looks_for_other_cases")
        assert outcome.verdict.code == "valid"
        assert "found:\n" in outcome.log
        assert "/tmp" in outcome.log.split("left:")[1]


def test_what_root_might_do_to_the_host_is_refused(run: Run) -> None:
    outcome = run("breaks_out")
    assert outcome.log == "done:\n", outcome.log


def test_mounts_show_no_path_of_an_input(run: Run, volume: Path) -> None:
    log = run("leaks_host_paths").log
    assert "/output" in log
    assert volume.name not in log
    assert str(volume.parent) not in log


def test_honest_programs_have_what_they_need(run: Run) -> None:
    outcome = run("reads_its_world")
    assert outcome.verdict.code == "valid", outcome.log
    assert f"shm {64 * 2**20} tmp" in outcome.log
    assert "cwd /proctor" in outcome.log
    assert "who 0 /root task task5" in outcome.log


def test_directories_that_the_image_made_for_temporary_files_stay(
    run: Run, load: Callable[[Path], str], base: str
) -> None:
    files = {"/app/predict.py": SCRIPT.read_bytes(), "/tmp/made-by-the-image/x": b"x"}
    outcome = run("reads_its_world", image=load(build_image(files, base, name="proctor-tmp")))
    assert outcome.verdict.code == "valid", outcome.log
    assert "made-by-the-image" in outcome.log


def test_the_images_own_user_and_home_stay(run: Run, load: Callable[[Path], str], base: str) -> None:
    files = {"/app/predict.py": SCRIPT.read_bytes()}
    env = {"HOME": "/tmp", "LD_PRELOAD": "/nowhere.so"}
    image = load(build_image(files, base, name="proctor-user", user="1234", env=env))
    outcome = run("reads_its_world", image=image)
    assert outcome.verdict.code == "valid", outcome.log
    assert "who 1234 /tmp" in outcome.log
    assert "preload" not in outcome.log


def test_the_receipt_shows_no_host_path_and_no_pseudonym(
    run: Run, make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    pseudonym = "f" * 32
    outcome = run(pseudonym=pseudonym)
    shown = json.dumps(outcome.options)
    assert str(tmp_path) not in shown
    assert pseudonym not in shown
    assert outcome.options["HostConfig"]["NetworkMode"] == "none"


def test_an_input_only_root_may_read_is_readable_inside(
    run: Run, load: Callable[[Path], str], base: str, volume: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.nii.gz"
    secret.write_bytes(volume.read_bytes())
    secret.chmod(0o600)
    files = {"/app/predict.py": SCRIPT.read_bytes()}
    image = load(build_image(files, base, name="proctor-reader", user="1234"))
    assert run("valid", "task4", image=image, inputs={"t2w": secret}).verdict.code == "valid"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_declared_volume_is_bounded_and_keeps_its_files(
    run: Run, load: Callable[[Path], str], base: str, tmp_path: Path
) -> None:
    files = {"/app/predict.py": SCRIPT.read_bytes(), "/data/kept": b"x"}
    archive = build_image(files, base, name="proctor-volume")
    image = load(reconfigured(archive, tmp_path / "volume.tar", Volumes={"/data": {}, "/tmp": {}}))
    assert run("fills_a_volume", image=image).verdict.code == "disk_full"
    outcome = run("lists_a_volume", image=image)
    assert outcome.log == "data: kept\n"


def test_an_image_with_a_volume_where_none_can_be_does_not_start(
    run: Run, load: Callable[[Path], str], base: str, tmp_path: Path
) -> None:
    archive = build_image({"/app/predict.py": SCRIPT.read_bytes()}, base, name="proctor-volume")
    image = load(reconfigured(archive, tmp_path / "volume.tar", Volumes={"/input/scans": {}}))
    outcome = run(image=image)
    assert outcome.verdict.code == "no_start"
    assert "VOLUME in one of /input" in outcome.verdict.message


def test_jobs_are_values(make_job: Callable[..., CaseJob]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_job().track = "open"  # type: ignore[misc]


def test_a_folder_of_the_images_own_keeps_no_user_from_the_output(
    base: str, load: Callable[[Path], str], run: Run
) -> None:
    """Some engines give a disk the owner and the mode of the folder that it covers."""
    files = {"/app/predict.py": SCRIPT.read_bytes(), "/output/readme": b"", "/proctor/readme": b""}
    image = load(build_image(files, base, name="proctor-folders", user="1234"))
    outcome = run("valid", image=image)
    assert outcome.verdict.valid, outcome.log
