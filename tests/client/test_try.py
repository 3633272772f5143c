"""`proctor try` on the real engine: the worker's verdicts, on public cases in both layouts."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import nibabel as nib
import numpy as np
import pytest

from client.cases import find_cases
from client.errors import Local
from client.trial import driver_warning, limits_here
from client.trying import PrintedLogs
from demo.images import ensure_base
from evaluator.spec import Challenge
from sandbox.engine import Engine
from sandbox.engines import EngineKind
from sandbox.gpu import InstalledGpu
from sandbox.jobs import CaseJob, CaseOutcome
from sandbox.run import run_case
from tests.client.conftest import FOMO26, Cli
from tests.hostile.images import build
from tests.sandbox.apptainer import standing_in
from tests.sandbox.nvidia import FIRST, MODEL, StandIn
from tests.sandbox.sifs import ARM64, Files, partition, shell, sif, squashfs

OVERLAY = """
limits: {seconds_per_case: 20, cpus: 64, memory: 256m, shm: 64m, output: 8m, disk: 64m, processes: 64,
         image: 2g, gpu: {required: false}}
"""


@pytest.fixture(scope="session")
def base() -> str:
    return ensure_base()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two public cases of task 2 as they are released."""
    for name in ("sub-01", "sub-02"):
        folder = tmp_path / "data" / "Task_2" / "preprocessed" / name / "ses-01"
        folder.mkdir(parents=True)
        for sequence in ("flair", "dwi", "swi"):
            scan = nib.Nifti1Image(np.zeros((6, 7, 8), np.int16), np.eye(4))
            nib.save(scan, folder / f"{sequence}.nii.gz")
    return tmp_path / "data"


@pytest.fixture
def trial(cli: Cli, data: Path, tmp_path: Path) -> Any:
    """Runs `proctor try` on the cases with limits that are hit quickly."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(OVERLAY)
    common = ("--challenge", FOMO26, "--overlay", overlay, "--cases", data, "-t", "task2")
    return lambda image, *more: cli("try", image, *common, *more)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The containers of this test; others may try images on this machine at the same time."""
    names: list[str] = []

    def noted(engine: Engine, job: CaseJob) -> CaseOutcome:
        names.append(job.name)
        return run_case(engine, job)

    monkeypatch.setattr("client.trial.run_case", noted)
    return names


def containers(name: str) -> list[str]:
    command = ["docker", "ps", "--all", "--filter", f"name={name}", "--format", "{{.Names}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_good_image_is_valid_on_every_case(trial: Any, base: str, names: list[str]) -> None:
    done = trial(build("valid", base))
    assert done.exit_code == 0, done.output
    assert "2 of 2 cases valid" in done.output
    assert "64 processor cores in the challenge" in done.output
    assert "sub-01/ses-01" in done.output
    assert len(names) == 2
    assert [found for name in names for found in containers(name)] == []


def test_the_checkpoint_that_an_image_of_the_engine_declares_is_told(trial: Any, base: str) -> None:
    tag = f"proctor-test-{uuid4().hex[:10]}"
    labels = f"LABEL proctor.checkpoint.path=/app/model.pt proctor.checkpoint.sha256={'a' * 64}"
    command = ["docker", "build", "--quiet", "--tag", tag, "-"]
    subprocess.run(command, input=f"FROM {base}\n{labels}\n".encode(), capture_output=True, check=True)
    try:
        declared = " ".join(trial(tag, "--first", "1").output.split())
    finally:
        subprocess.run(["docker", "rmi", tag], capture_output=True, check=True)
    assert f"It declares the checkpoint /app/model.pt: sha256:{'a' * 64}." in declared
    assert "The image declares no pretrained checkpoint." in trial(base, "--first", "1").output


def test_podman_says_the_same(trial: Any, base: str) -> None:
    """`make podman` starts or installs it; without it nothing is tried."""
    image = build("wrong_shape", base)
    done = trial(image, "--first", "1", "--engine", "podman")
    if "No container engine answers" in done.output:
        pytest.skip("Podman was not tried: it does not answer")
    assert (done.exit_code, "output_invalid:shape" in done.output) == (1, True), done.output


def test_a_failing_image_shows_verdict_and_log(trial: Any, base: str) -> None:
    done = trial(build("exits_3", base), "--first", "1")
    assert done.exit_code == 1
    assert "exit_code" in done.output
    assert "0 of 1 cases valid" in done.output
    assert "exit code 3; log of the container" in done.output


def test_a_wrong_output_is_told_with_what_is_wrong_in_it(trial: Any, base: str) -> None:
    done = trial(build("wrong_shape", base), "--first", "1")
    assert done.exit_code == 1
    assert "output_invalid:shape" in done.output
    assert "3, 4, 5" in done.output


def test_an_image_without_python_cannot_be_started(trial: Any, base: str) -> None:
    done = trial(build("no_python", base), "--first", "1")
    assert (done.exit_code, "no_start" in done.output) == (1, True), done.output


def test_a_bad_archive_is_refused_before_it_is_run(trial: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"nothing like a tar" * 100)
    done = trial(tmp_path / "bad.tar")
    assert (done.exit_code, "not_a_tar" in done.output) == (1, True), done.output


def test_what_cannot_be_tried_is_said(trial: Any, cli: Cli, data: Path) -> None:
    missing = trial("no-such-image:ever")
    assert (missing.exit_code, missing.output.count("no-such-image")) == (6, 1), missing.output
    board = cli("try", "x", "-c", FOMO26, "--cases", data, "-t", "task7")
    assert (board.exit_code, "task7 is a board of task6" in board.output) == (2, True)
    assert cli("try", "x", "-c", "missing.yaml", "--cases", data, "-t", "task2").exit_code == 6
    assert cli("try", "x", "-c", FOMO26, "--cases", data / "nowhere", "-t", "task2").exit_code == 6


def test_cases_are_found_in_every_layout_and_incomplete_ones_named(
    data: Path, spec: Challenge, tmp_path: Path
) -> None:
    task = spec.tasks["task2"]
    for root in (data, data / "Task_2", data / "Task_2" / "preprocessed"):
        cases, problems = find_cases(root, "task2", task)
        assert ([case.name for case in cases], problems) == (["sub-01/ses-01", "sub-02/ses-01"], [])
    flat = tmp_path / "flat"
    for case, files in {"a": ("flair", "dwi", "t2s"), "b": ("flair", "dwi")}.items():
        (flat / case).mkdir(parents=True)
        for file in files:
            (flat / case / f"{file}.nii.gz").touch()
    cases, problems = find_cases(flat, "task2", task)
    assert [case.name for case in cases] == ["a"]
    assert problems == ["b: no file for t2s or swi"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(Local, match="no complete case"):
        find_cases(tmp_path / "empty", "task2", task)


def test_a_link_to_a_folder_above_gives_no_case_twice(tmp_path: Path, spec: Challenge) -> None:
    for name in ("a", "b"):
        (tmp_path / "cases" / name).mkdir(parents=True)
        (tmp_path / "cases" / name / "t1w.nii.gz").touch()
    for number in range(30):  # 30 of them, four deep, would be 810,000 folders
        (tmp_path / "cases" / "a" / f"up{number}").symlink_to("..")
    (tmp_path / "cases" / "c").symlink_to("b")
    cases, problems = find_cases(tmp_path / "cases", "task3", spec.tasks["task3"])
    assert ([case.name for case in cases], problems) == (["a", "b", "c"], [])


def test_another_tasks_cases_are_not_taken_for_the_tasks_own(data: Path, spec: Challenge) -> None:
    with pytest.raises(Local, match=r"holds Task_2, but not Task_4"):
        find_cases(data, "task4", spec.tasks["task4"])


def test_a_narrow_terminal_cuts_no_verdict(
    trial: Any, base: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    done = trial(build("exits_3", base), "--first", "1")
    assert re.search(r"^sub-01/ses-01  exit_code  \d", done.output, re.MULTILINE), done.output


def test_a_timeout_names_the_limit(trial: Any, base: str, tmp_path: Path) -> None:
    (tmp_path / "overlay.yaml").write_text(OVERLAY.replace("seconds_per_case: 20", "seconds_per_case: 2"))
    done = trial(build("hangs", base), "--first", "1")
    assert "(limit: 2 s)" in done.output, done.output


def test_a_full_output_folder_names_its_own_limit(trial: Any, base: str) -> None:
    done = trial(build("fills_output", base), "--first", "1")
    assert "/output than the challenge allows (limit: " in done.output, done.output
    assert re.search(r"\(limit: [\d.]+ \w+ in [\d,]+ files\)", done.output), done.output


def test_a_log_that_asks_for_a_network_is_explained_and_printed_once(trial: Any, base: str) -> None:
    done = trial(build("asks_for_another_machine", base))
    assert "exit_code" in done.output
    assert done.output.count("containers have no network") == 2, done.output
    assert done.output.count("Traceback") == 1, done.output
    assert "log of the container: the same as of sub-01/ses-01" in done.output
    assert "Checking proctor-hostile-asks" in done.output, "what takes long is said"


def test_logs_are_the_same_that_differ_in_addresses_and_names_of_runs_alone() -> None:
    logs, said = PrintedLogs(), "cannot write /output/{}.txt: <Connection object at {}>: {}"
    assert logs.first_with("sub-01", said.format("case0001", "0x7f12aa34bb50", "no route")) is None
    assert logs.first_with("sub-02", said.format("case0002", "0x7f99cc34dd10", "no route")) == "sub-01"
    assert logs.first_with("sub-03", said.format("case0003", "0x7f99cc34dd10", "refused")) is None
    assert logs.first_with("sub-04", "") is None
    assert logs.first_with("sub-05", "") is None, "that it is empty is said of each"


def test_a_program_that_is_stopped_leaves_what_it_printed(trial: Any, base: str, tmp_path: Path) -> None:
    (tmp_path / "overlay.yaml").write_text(OVERLAY.replace("seconds_per_case: 20", "seconds_per_case: 3"))
    done = trial(build("prints_and_hangs", base), "--first", "1")
    assert "timeout" in done.output
    assert "of 3 seconds" in done.output, done.output


def test_limits_above_this_machine_are_lowered_with_a_warning(spec: Challenge) -> None:
    limits, warnings = limits_here(spec.limits, memory=8 * 2**30, cpus=4, gpu=None)
    assert (limits.memory, limits.cpus, limits.gpu, limits.shm) == (7 * 2**30, 4.0, None, 7 * 2**30)
    assert len(warnings) == 3
    assert "64.0 GiB memory in the challenge, 7.0 GiB of the 8.0 GiB here." in warnings
    same, none = limits_here(spec.limits, memory=2**40, cpus=64, gpu="GPU-1")
    assert (same, none) == (spec.limits, [])


COPIES = b"""#!/bin/sh
for word; do :; done
cat /input/flair.nii.gz > "$word"
"""


def copying() -> Files:
    """The files of an image whose program copies a scan."""
    files = shell("/bin/sh", "/bin/cat") | {"opt/bin/python": COPIES}
    return files | {".singularity.d/env/90-environment.sh": b"export PATH=/opt/bin:$PATH\n"}


def test_a_sif_file_is_tried_as_any_image(trial: Any, tmp_path: Path) -> None:
    files = copying()
    (tmp_path / "my.sif").write_bytes(sif(partition(squashfs(files))))
    done = trial(tmp_path / "my.sif")
    assert (done.exit_code, "2 of 2 cases valid" in done.output) == (0, True), done.output
    (tmp_path / "my.sif").write_bytes(sif(partition(squashfs(files), machine=ARM64)))
    refused = trial(tmp_path / "my.sif")
    assert (refused.exit_code, "wrong_architecture" in refused.output) == (1, True), refused.output


@pytest.fixture
def apptainer(tmp_path: Path) -> Iterator[Path]:
    """The folder of a stand-in for Apptainer; what it keeps is in `store`."""
    (tmp_path / "apptainer").mkdir()
    with standing_in(tmp_path / "apptainer") as top:
        yield top


def kept(top: Path) -> list[str]:
    return [path.name for folder in ("images", "containers") for path in (top / "store" / folder).iterdir()]


def test_a_sif_file_is_tried_with_apptainer_and_nothing_is_kept(
    trial: Any, apptainer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    (tmp_path / "my.sif").write_bytes(sif(partition(squashfs(copying()))))
    done = trial(tmp_path / "my.sif", "--engine", "apptainer")
    assert (done.exit_code, "2 of 2 cases valid" in done.output) == (0, True), done.output
    assert kept(apptainer) == []


ASKING = ("cuda>=12.9",)
CARD = InstalledGpu(FIRST, 2**37, MODEL, "570.124", "12.8")


def test_a_cuda_that_is_too_new_for_this_machines_driver_is_warned_of() -> None:
    said = driver_warning(EngineKind.DOCKER, CARD, ASKING)
    assert said is not None
    assert "asks for CUDA 12.9 or newer, and the driver of this machine goes up to CUDA 12.8." in said
    for kind in (EngineKind.PODMAN, EngineKind.APPTAINER):
        assert driver_warning(kind, CARD, ASKING) is None, (
            "nothing refuses the start, and it is the same major"
        )
        assert driver_warning(kind, CARD, ("cuda>=13.0",)) is not None
    assert driver_warning(EngineKind.DOCKER, None, ASKING) is None
    assert driver_warning(EngineKind.DOCKER, replace(CARD, cuda=""), ASKING) is None
    assert driver_warning(EngineKind.DOCKER, CARD, ()) is None


def test_a_sif_file_is_tried_on_a_gpu_with_a_word_on_its_driver(
    trial: Any, apptainer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = StandIn(tmp_path / "nvidia")
    monkeypatch.setenv("PATH", f"{gpus.bin}:{os.environ['PATH']}")
    script = b'#!/bin/sh\nexport CUDA_VERSION="${CUDA_VERSION:-"13.0.1"}"\n'
    files = copying() | {".singularity.d/env/10-docker2singularity.sh": script}
    (tmp_path / "my.sif").write_bytes(sif(partition(squashfs(files))))
    done = trial(tmp_path / "my.sif", "--engine", "apptainer", "--first", "1")
    assert (done.exit_code, "1 of 1 cases valid" in done.output) == (0, True), done.output
    said = " ".join(done.output.split())
    assert "asks for CUDA 13 or newer, and the driver of this machine goes up to CUDA 12.8." in said
    gpus.change(cuda="13.1")
    again = trial(tmp_path / "my.sif", "--engine", "apptainer", "--first", "1")
    assert "asks for CUDA" not in again.output


def test_without_apptainer_is_said_how_to_have_it(
    trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = trial("my.sif", "--engine", "apptainer")
    assert (done.exit_code, "module load apptainer" in done.output) == (6, True), done.output


def test_without_squashfs_tools_a_sif_file_is_answered_with_what_to_install(
    trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my.sif").write_bytes(sif(partition(squashfs({}))))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = trial(tmp_path / "my.sif")
    assert (done.exit_code, "apt-get install squashfs-tools" in done.output) == (6, True), done.output
