"""The demo's images, and what their programs answer, run here without a container."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest

from client.checked import facts_of
from contract import skeleton
from contract.images import CheckpointState
from demo.brains import make_case
from demo.brains.layout import write_scans
from demo.images import BROKEN, TEAMS, build_image, build_skeleton_image, build_team_image, ensure_base
from demo.images._pull import can_have
from evaluator.outputs import check_output
from evaluator.spec import load_challenge

ROOT = Path(__file__).parents[2]
CHALLENGE = load_challenge(ROOT / "challenges" / "fomo26" / "challenge.yaml")
TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")


@pytest.fixture(scope="module")
def base() -> str:
    return ensure_base()


def test_an_image_that_nobody_has_is_not_waited_for() -> None:
    assert not can_have("docker", f"proctor-test/no-such-image-{uuid.uuid4().hex}")


def test_an_archive_says_the_truth_about_every_digest_in_it(base: str) -> None:
    archive = build_image(
        {"/app/predict.py": b"print(1)\n"}, base, name="demo-probe", env={"A": "b"}, user="1000"
    )

    with tarfile.open(archive) as tar:
        manifest = json.loads(_member(tar, "manifest.json"))[0]
        config_text = _member(tar, manifest["Config"])
        config = json.loads(config_text)
        digests = ["sha256:" + hashlib.sha256(_member(tar, name)).hexdigest() for name in manifest["Layers"]]

    assert manifest["Config"] == hashlib.sha256(config_text).hexdigest() + ".json"
    assert digests == config["rootfs"]["diff_ids"]
    assert "A=b" in config["config"]["Env"]
    assert config["config"]["User"] == "1000"
    archive.unlink()


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    assert stream is not None
    return stream.read()


def test_the_same_files_make_the_same_archive(base: str) -> None:
    first = build_team_image("voxel", base)
    before = hashlib.sha256(first.read_bytes()).hexdigest()
    first.unlink()

    second = build_team_image("voxel", base)

    assert second == first
    assert hashlib.sha256(second.read_bytes()).hexdigest() == before


def test_the_teams_make_different_images(base: str) -> None:
    assert len({build_team_image(name, base) for name in (*TEAMS, BROKEN)}) == len(TEAMS) + 1


def test_a_team_s_two_images_declare_two_checkpoints_that_are_there(base: str) -> None:
    found = [
        facts_of(build_team_image("gyrus", base, checkpoint=text)).checkpoint for text in (b"one", b"other")
    ]
    assert [one and one.state for one in found] == [CheckpointState.VERIFIED] * 2
    assert len({one and one.sha256 for one in found}) == 2
    plain = facts_of(build_team_image("gyrus", base)).checkpoint
    assert plain is not None
    assert plain.state is CheckpointState.NOT_DECLARED


def test_the_skeleton_s_image_holds_the_program_of_proctor_init(base: str) -> None:
    archive = build_skeleton_image("task3", base)
    assert build_skeleton_image("task3", base) == archive, "from the cache"
    program = skeleton.program(CHALLENGE.tasks["task3"], invoke=True)
    assert program is not None
    with tarfile.open(archive) as tar:
        manifest = json.loads(_member(tar, "manifest.json"))[0]
        config = json.loads(_member(tar, manifest["Config"]))["config"]
        with tarfile.open(fileobj=io.BytesIO(_member(tar, manifest["Layers"][-1]))) as layer:
            assert _member(layer, "app/predict.py").decode() == program
    assert config["Labels"]["proctor.invoke"] == "1"
    assert "proctor.checkpoint.path" not in config["Labels"]


def test_an_unknown_team_has_no_image(base: str) -> None:
    with pytest.raises(ValueError, match="no such demo team"):
        build_team_image("nobody", base)


@pytest.mark.parametrize("task", TASKS)
def test_every_team_answers_validly(task: str, tmp_path: Path) -> None:
    spec = CHALLENGE.tasks[task]
    case = make_case(task, "validation", 0, seed=5, spacing_mm=3.0)
    write_scans(tmp_path, case)
    place = tmp_path / case.subject / case.session
    inputs = {key: place / f"{key}.nii.gz" for key in case.inputs}
    flags = [text for one in spec.inputs_of(set(case.inputs)) for text in (one.flag, str(inputs[one.key]))]
    for team in TEAMS:
        output = tmp_path / f"{team}{spec.output.suffix}"
        command = [sys.executable, "-m", f"demo.teams.{team}", *flags, "--output", str(output)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env={"PROCTOR_TASK": task, "PATH": ""}
        )
        assert done.returncode == 0, done.stderr
        checked = check_output(spec, output, inputs)
        assert checked.valid, (team, checked.message)
