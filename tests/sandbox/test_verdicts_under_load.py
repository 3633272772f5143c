"""A verdict does not follow from how busy a host is, nor from how soon a container ends."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluator.verdicts import OUTPUT_FULL, SHM_FULL
from sandbox.engine import Engine
from sandbox.jobs import CaseJob
from sandbox.notices import Notices
from sandbox.run import run_case
from tests.hostile.images import build_all

TIMES = 3


@pytest.fixture(scope="module")
def tricks(load: Callable[[Path], str], base: str) -> str:
    return load(build_all(base))


@pytest.fixture
def busy() -> Iterator[None]:
    """All cores have more to do than they can."""
    count = 2 * len(os.sched_getaffinity(0))
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    yield
    for one in others:
        one.kill()
        one.wait()


BOUNDS = {
    "forks_without_end": ("too_many_processes", {}),
    "is_refused_a_process_and_gives_up": ("too_many_processes", {}),
    "is_refused_a_process_and_gives_up_late": (
        "too_many_processes",
        {"seconds_per_case": 2, "patience": 30.0},
    ),
    "loses_a_child_to_the_memory_killer": ("out_of_memory", {}),
    "eats_memory": ("out_of_memory", {}),
    "fills_output": ("disk_full", {}),
    "fills_tmp": ("disk_full", {}),
}


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(("behaviour", "expected"), BOUNDS.items(), ids=BOUNDS)
def test_a_bound_that_was_met_is_the_verdict_on_a_busy_host(
    behaviour: str,
    expected: tuple[str, dict[str, object]],
    tricks: str,
    engine: Engine,
    make_job: Callable[..., CaseJob],
) -> None:
    code, changes = expected
    for _ in range(TIMES):
        outcome = run_case(engine, make_job(behaviour, image=tricks, **({"seconds_per_case": 120} | changes)))
        assert outcome.verdict.code == code, outcome


def test_groups_are_found_where_another_driver_of_the_engine_puts_them(
    tricks: str, engine: Engine, make_job: Callable[..., CaseJob]
) -> None:
    if not engine.privileged:
        pytest.skip("this host's control groups are not ours to read")
    other = Engine.connect()
    other.host = other.host | {"CgroupDriver": "systemd"}
    try:
        outcome = run_case(other, make_job("is_refused_a_process_and_gives_up_late", image=tricks))
    finally:
        other.close()
    assert outcome.verdict.code == "too_many_processes", outcome
    assert (outcome.peak_memory_bytes or 0) > 2**20


def test_a_notice_outlives_its_file() -> None:
    """A group of version 2, which most hosts have, if only beside others: it says when it has a process."""
    roots = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")]
    root = next((one for one in roots if (one / "cgroup.controllers").is_file()), None)
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("this host's control groups are not ours to make")
    group = root / f"proctor-test-{os.getpid()}"
    group.mkdir()
    quiet, notices = Notices(group / "cgroup.stat"), Notices(group / "cgroup.events")
    assert not notices.seen()
    join = f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(__import__('os').getpid()))"
    subprocess.run([sys.executable, "-c", join], check=True)
    deadline = time.monotonic() + 60
    while group.is_dir() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            group.rmdir()
        time.sleep(0.01)
    while not notices.seen() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert notices.seen()
    assert not quiet.seen()
    for one in (quiet, notices, missing := Notices(group / "cgroup.events")):
        one.close()
    assert not missing.seen()


def test_a_full_output_folder_and_full_shared_memory_are_told_apart_from_a_full_disk(
    tricks: str, engine: Engine, make_job: Callable[..., CaseJob]
) -> None:
    if not engine.privileged:
        pytest.skip("this host has no bounded disks")
    said = {
        behaviour: run_case(engine, make_job(behaviour, image=tricks, memory=512 * 2**20)).verdict
        for behaviour in ("fills_output", "makes_many_files", "fills_tmp", "fills_shared_memory")
    }
    said["allocated"] = run_case(
        engine, make_job("allocates_shared_memory", image=tricks, memory=512 * 2**20)
    ).verdict
    assert [one.message == OUTPUT_FULL for one in said.values()] == [True, True, False, False, False]
    assert [one.message == SHM_FULL for one in said.values()] == [False, False, False, True, True]
