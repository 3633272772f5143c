"""Nothing of a case stays on the host, and what a killed worker left is found and removed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from evaluator.spec import Challenge, Limits
from sandbox import disks
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob
from sandbox.run import prepare, remove, run_case
from tests.sandbox.conftest import Run

ROOT = Path(__file__).parents[2]


def traces(engine: Engine, mark: str) -> list[str]:
    """Everything on this host whose name holds `mark`."""
    found = [one.name for one in engine.raw.containers()]
    found += engine.raw.volumes()
    found += [file.read_text() for file in Path("/sys/block").glob("loop*/loop/backing_file")]
    found += Path("/proc/self/mountinfo").read_text().splitlines()
    found += [str(path) for path in Path("/sys/fs/cgroup").glob("**/proctor/*")]
    return [name for name in found if mark in name]


def test_nothing_of_a_case_stays_however_it_ends(
    engine: Engine, make_job: Callable[..., CaseJob], tmp_path: Path
) -> None:
    for behaviour in ("valid", "fills_tmp", "kills_itself", "leaves_processes_behind", "unknown"):
        job = make_job(behaviour)
        try:
            run_case(engine, job)
        except EngineFault:
            assert behaviour == "kills_itself"
        assert traces(engine, job.name) == []
        assert not job.scratch.exists()


def test_a_container_that_cannot_be_made_leaves_nothing(
    engine: Engine, make_job: Callable[..., CaseJob]
) -> None:
    job = make_job(name="proctor-not allowed-1")
    try:
        run_case(engine, job)
    except EngineFault:
        assert traces(engine, "not allowed") == []
    else:
        raise AssertionError("a name with a blank was accepted")


KILLED = """
import json, sys, uuid
from pathlib import Path
from evaluator.spec import Limits, Task
from sandbox.engine import Engine
from sandbox.jobs import CaseJob, Slot
from sandbox.run import prepare, remove, run_case
name, image, task, limits, volume, scratch = sys.argv[1:]
task = Task.model_validate_json(task)
inputs = {one.key: Path(volume) for one in task.all_inputs}
limits = Limits.model_validate_json(limits)
job = CaseJob(name, image, task, "task5", "hangs", inputs, "p", limits, Slot(), Path(scratch))
run_case(Engine.connect(), job)
"""


def test_killing_says_whether_it_ran(engine: Engine, make_job: Callable[..., CaseJob]) -> None:
    """What ends at the very moment it is killed is nobody's fault."""
    case = prepare(engine, make_job("sleeps", seconds_per_case=30))
    try:
        assert not engine.kill_container(case.container)
        engine.raw.start(case.container)
        assert engine.kill_container(case.container)
        engine.raw.wait(case.container)
        assert not engine.kill_container(case.container)
    finally:
        remove(case)
    assert not engine.kill_container(case.container)


def test_what_a_killed_worker_left_is_removed_and_nothing_else(
    engine: Engine, challenge: Challenge, limits: Limits, image: str, volume: Path, tmp_path: Path
) -> None:
    prefix = f"proctor-test-{uuid.uuid4().hex[:8]}-"
    names = [f"{prefix}{uuid.uuid4()}-{number}" for number in (1, 2)]
    task = challenge.tasks["task5"].model_dump_json()
    workers = []
    for number, name in enumerate(names):
        scratch = tmp_path / f"scratch-{number}"
        arguments = [name, image, task, limits.model_dump_json(), str(volume), str(scratch)]
        workers.append(subprocess.Popen([sys.executable, "-c", KILLED, *arguments], cwd=ROOT))
    for name in names:
        until(lambda name=name: running(engine, name))  # type: ignore[misc]
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    removed = engine.remove_orphans(prefix, keep={names[1]})
    assert {name.split(".")[0] for name in removed} >= {names[0]}
    assert names[1] not in removed
    until(
        lambda: traces(engine, names[0]) == []
    )  # a container that starts meanwhile holds each mount for a moment
    assert running(engine, names[1])
    engine.remove_orphans(prefix, keep=set())
    until(lambda: traces(engine, names[1]) == [])


def test_containers_of_others_are_never_orphans(engine: Engine, image: str) -> None:
    prefix = f"proctor-test-{uuid.uuid4().hex[:8]}-"
    name = f"{prefix}postgres-1"
    engine.raw.look(image, name)
    try:
        assert name not in engine.remove_orphans(prefix, keep=set())
        assert traces(engine, name) == [name]
    finally:
        engine.remove_container(name)


def test_a_disk_bounds_bytes_and_files(tmp_path: Path) -> None:
    if not disks.supported():
        return
    disk = disks.make("bounded", 16 * 2**20, 100, tmp_path)
    try:
        assert list(disk.path.iterdir()) == []
        assert not disk.full()
        made = 0
        try:
            while made < 1000:
                (disk.path / str(made)).touch()
                made += 1
        except OSError:
            assert 90 <= made <= 130
        assert disk.full()
    finally:
        disk.remove()
    assert list(tmp_path.iterdir()) == []


def running(engine: Engine, name: str) -> bool:
    return any(one.name == name and one.state == "running" for one in engine.raw.containers())


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_engine_knows_which_images_it_has(engine: Engine, image: str, run: Run) -> None:
    engine.ping()
    assert engine.has_image(image)
    assert not engine.has_image("sha256:" + "0" * 64)
