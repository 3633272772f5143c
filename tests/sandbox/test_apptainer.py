"""Apptainer's command lines, and a stand-in for it that carries them out: image, case, output, verdict, removal."""

import inspect
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.verdicts import PlatformFault
from sandbox import apptainer_bounds, doctor, options
from sandbox.engine import Engine
from sandbox.engines import EngineRefused, EngineSilent
from sandbox.engines._apptainer_command import (
    ContainerPlaces,
    build_command,
    environment,
    refusal,
    run_command,
)
from sandbox.engines._apptainer_containers import size
from sandbox.engines._apptainer_images import remove
from sandbox.engines._apptainer_probe import explained
from sandbox.engines._apptainer_process import signal_tree, tree
from sandbox.engines.apptainer import ApptainerEngine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob, Slot
from sandbox.options import Host, Mounts
from sandbox.run import run_case
from tests.sandbox.conftest import Run

ENGINES = ["apptainer"]
MakeJob = Callable[..., CaseJob]
PLACES = ContainerPlaces(*(Path("/store") / name for name in ("image", "upper", "output", "work")))


def config(job: CaseJob) -> dict[str, Any]:
    return options.build(job, Host(8, None), Mounts(Path("/scratch/input"), {}))


def test_the_command_line_that_runs_a_case(make_job: MakeJob) -> None:
    job = make_job()
    limits = job.limits
    assert run_command("apptainer", config(job), PLACES, ["/run", "--input", "x"]) == [
        "prlimit",
        "--core=0:0",
        "--nofile=16384:16384",
        f"--fsize={limits.disk + 2**20}:{limits.disk + 2**20}",
        "--sigpending=1024:1024",
        "--msgqueue=262144:262144",
        *(
            "apptainer",
            "--silent",
            "exec",
            "--userns",
            "--containall",
            "--cleanenv",
            "--no-eval",
            "--no-umask",
        ),
        *("--no-privs", "--no-mount=tmp,cwd,hostfs,bind-paths", "--net", "--network=none"),
        *("--hostname=proctor", "--dns=127.0.0.1", "--overlay=/store/upper", "--home=/store/work:/proctor"),
        *("--bind=/store/output:/output", "--bind=/scratch/input:/input:ro", "--pwd=/proctor"),
        *("/store/image", "/run", "--input", "x"),
    ]


def test_a_gpu_is_named_by_its_uuid_and_nothing_else_is(make_job: MakeJob) -> None:
    with_gpu = config(make_job(slot=Slot(gpu_uuid="GPU-7")))
    assert "--nv" in run_command("apptainer", with_gpu, PLACES, ["/run"])
    assert environment(with_gpu)["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "GPU-7"
    assert environment(with_gpu)["APPTAINERENV_NVIDIA_VISIBLE_DEVICES"] == "GPU-7"
    without = config(make_job())
    assert "--nv" not in run_command("apptainer", without, PLACES, ["/run"])
    assert environment(without)["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == ""


def test_no_setting_of_the_callers_reaches_apptainer(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APPTAINER_BIND", "SINGULARITY_NV", "APPTAINERENV_SECRET", "PROCTOR_WORKER_TOKEN"):
        monkeypatch.setenv(name, "1")
    names = set(environment(config(make_job())))
    assert not names & {"APPTAINER_BIND", "SINGULARITY_NV", "APPTAINERENV_SECRET", "PROCTOR_WORKER_TOKEN"}


def test_the_command_line_that_makes_a_folder_of_an_image() -> None:
    assert build_command("apptainer", Path("/store/image"), Path("/store/a.tar")) == [
        *("apptainer", "--quiet", "build", "--sandbox", "--fix-perms", "--disable-cache"),
        *("/store/image", "docker-archive:/store/a.tar"),
    ]


def test_a_folder_that_its_options_would_divide_is_refused(make_job: MakeJob) -> None:
    divided = ContainerPlaces(PLACES.image, Path("/a,b"), PLACES.output, PLACES.work)
    with pytest.raises(EngineRefused, match="colon or a comma"):
        run_command("apptainer", config(make_job()), divided, ["/run"])


def test_what_it_cannot_hold_is_refused(make_job: MakeJob) -> None:
    possible = config(make_job())
    host = possible["HostConfig"]
    assert refusal(possible) is None
    refused = {
        "runsc": possible | {"HostConfig": host | {"Runtime": "runsc"}},
        "many cases": possible | {"OpenStdin": True},
        "strict": possible | {"HostConfig": host | {"ReadonlyRootfs": True}},
        "disks": possible | {"HostConfig": host | {"Mounts": [{"Type": "volume", "Target": "/output"}]}},
        "stack": possible | {"HostConfig": host | {"Ulimits": [{"Name": "stack", "Soft": 1, "Hard": 1}]}},
    }
    for word, changed in refused.items():
        assert word in (refusal(changed) or "")


def test_a_case_runs_and_nothing_of_it_is_left(run: Run, engine: Engine) -> None:
    outcome = run("valid", "task5")
    assert outcome.verdict.code == "valid", outcome.log
    assert outcome.output is not None
    assert 0 < outcome.seconds < 20
    assert engine.raw.containers() == []
    assert list((Path(engine.host["DockerRootDir"]) / "containers").iterdir()) == []


FAILURES = {
    "exits_3": "exit_code",
    "eats_memory": "out_of_memory",
    "fills_output": "disk_full",
    "fills_tmp": "disk_full",
    "fills_root": "disk_full",
    "writes_nothing": "output_missing:missing",
    "symlink": "output_invalid:not_a_regular_file",
    "fifo": "output_invalid:not_a_regular_file",
    "huge_sparse_file": "output_invalid:too_large",
    "not_a_number": "output_invalid:finite",
}


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        pytest.param(
            name, code, marks=() if name in ("eats_memory", "fills_tmp", "symlink") else pytest.mark.long
        )
        for name, code in FAILURES.items()
    ],
)
def test_every_failure_has_its_own_verdict(behaviour: str, code: str, run: Run) -> None:
    outcome = run(behaviour)
    assert outcome.verdict.code == code, outcome.log


def test_a_case_that_takes_too_long_is_ended(run: Run) -> None:
    outcome = run("hangs", seconds_per_case=2)
    assert outcome.verdict.code == "timeout", outcome.log


def test_a_case_ends_when_its_worker_says_so(make_job: MakeJob, engine: Engine) -> None:
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    with pytest.raises(EngineFault) as fault:
        run_case(engine, make_job("hangs", stop=stop))
    assert fault.value.fault is PlatformFault.WORKER_LOST
    assert engine.raw.containers() == []


def test_text_is_kept_to_its_end_and_bounded(run: Run, engine: Engine) -> None:
    outcome = run("floods_the_log")
    assert 0 < len(outcome.log.encode()) <= 64 * 1024


def test_a_container_is_paused_listed_and_removed(make_job: MakeJob, engine: Engine) -> None:
    job, raw = make_job("hangs"), engine.raw
    made = options.build(job, Host(8, None), Mounts(_inputs(job), {}))
    raw.create(made, job.name)
    with pytest.raises(EngineRefused, match="there is a container"):
        raw.create(made, job.name)
    raw.start(job.name)
    raw.pause(job.name)
    assert [(one.name, one.state) for one in raw.containers()] == [(job.name, "running")]
    raw.unpause(job.name)
    before = time.time()
    raw.kill(job.name)
    assert raw.wait(job.name, 20) == 137
    assert raw.was_killed(job.name, before, time.time())
    raw.remove(job.name)
    assert raw.containers() == []


def _inputs(job: CaseJob) -> Path:
    inputs = job.scratch / "input"
    inputs.mkdir(parents=True)
    for scan in job.task.inputs_of(set(job.inputs)):
        shutil.copyfile(job.inputs[scan.key], inputs / scan.file)
    return inputs


def test_what_a_dead_worker_left_is_removed_by_another(make_job: MakeJob, engine: Engine) -> None:
    job = make_job("hangs")
    engine.raw.create(options.build(job, Host(8, None), Mounts(_inputs(job), {})), job.name)
    engine.raw.start(job.name)
    other = Engine.connect("apptainer")
    assert other.raw.state(job.name).running
    assert other.kill_container(job.name)
    assert engine.raw.wait(job.name, 20) == 137
    assert other.remove_orphans("proctor-", ()) == [job.name]


def test_a_host_on_which_nothing_runs_is_the_platforms_fault(
    make_job: MakeJob, engine: Engine, standin: Path
) -> None:
    fresh = Engine.connect("apptainer")
    (standin / "refuses").write_text("FATAL: failed to create user namespace: not allowed")
    try:
        with pytest.raises(EngineFault, match=r"user\.max_user_namespaces") as fault:
            run_case(fresh, make_job())
    finally:
        (standin / "refuses").unlink()
    assert fault.value.fault is PlatformFault.ENGINE_UNAVAILABLE


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("FATAL: could not find fusermount3", "install fuse3"),
        ("FATAL: while mounting overlay: invalid argument", "Linux 5.11"),
        ("FATAL: network none is not permitted", "apptainer.conf"),
        ("FATAL: something else", "something else"),
        ("", "says nothing"),
    ],
)
def test_what_keeps_it_from_running_is_said(said: str, sentence: str) -> None:
    assert sentence in explained(said)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("apptainer version 1.1.9-1.el8", "1.1.9; use 1.3"),
        ("singularity-ce version 4.1.0", "is not Apptainer"),
    ],
)
def test_another_or_an_older_one_is_refused(
    version: str, sentence: str, engine: Engine, standin: Path
) -> None:
    (standin / "version").write_text(version)
    try:
        with pytest.raises(EngineFault, match=sentence):
            Engine.connect("apptainer")
    finally:
        (standin / "version").unlink()


def test_none_at_all_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineSilent, match="install Apptainer"):
        ApptainerEngine.connect()


def test_doctor_says_what_a_batch_job_has_to_hold(engine: Engine) -> None:
    found = {finding.name: finding for finding in doctor.report(engine)}
    assert "ConstrainRAMSpace" in found["memory, processes"].remedy
    assert found["engine"].message.startswith("Apptainer 1.3.6")
    assert apptainer_bounds.user(0).level == "problem"
    assert apptainer_bounds.user(1000).level == "ok"
    assert apptainer_bounds.tool("no-such-program", "it", "").level == "problem"


def test_every_call_that_the_stand_in_took_had_a_bare_environment(run: Run, standin: Path) -> None:
    run("valid")
    calls = [json.loads(line) for line in (standin / "calls").read_text().splitlines()]
    ran = [call for call in calls if "exec" in call["argv"]]
    others = {name for call in ran for name in call["environment"] if not name.startswith("APPTAINERENV_")}
    assert ran
    assert others <= {"PATH", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "LC_CTYPE", "PWD", "SHLVL", "_", "OLDPWD"}


DEEP = """
import os
for _ in range(1200):
    os.mkdir("d" * 8)
    os.chdir("d" * 8)
open("left", "wb").write(bytes(1_000_000))
os.chmod(".", 0)
"""
CHAIN = """
import os, time
for _ in range(120):
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
print("whole", flush=True)
time.sleep(60)
"""


def test_folders_that_are_nested_deeper_than_a_path_are_measured_and_removed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    subprocess.run([sys.executable, "-c", DEEP], cwd=made, check=True)
    assert size(made) > 1_000_000
    remove(made)
    assert not made.exists()


def test_processes_that_are_nested_deeper_than_python_goes_are_found_and_killed() -> None:
    usual = sys.getrecursionlimit()
    with subprocess.Popen([sys.executable, "-c", CHAIN], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"whole\n"
        sys.setrecursionlimit(len(inspect.stack()) + 80)
        try:
            found = list(tree(first.pid))
            signal_tree(first.pid, signal.SIGKILL)
        finally:
            sys.setrecursionlimit(usual)
        assert len(found) == 121
        assert first.wait(60) != 0
    until = time.monotonic() + 60
    while left := [pid for pid in found if _runs(pid)]:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
