"""A process that may only talk to the engine: no bounded disks, no control groups, the same verdicts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import doctor
from sandbox.engine import Engine
from sandbox.jobs import CaseJob
from sandbox.run import run_case
from tests.sandbox.conftest import Run

ENGINES = ("docker",)


@pytest.fixture(scope="session")
def unprivileged(engine: Engine) -> Iterator[Engine]:
    other = Engine.connect(engine.raw.kind, privileged=False)
    yield other
    other.close()


@pytest.fixture
def run(unprivileged: Engine, make_job: Callable[..., CaseJob]) -> Run:
    return lambda *behaviour, **changes: run_case(unprivileged, make_job(*behaviour, **changes))


CODES = {
    "valid": "valid",
    "reads_its_world": "valid",
    "fills_output": "disk_full",
    "fills_root": "disk_full",
    "fills_root_and_memory": "disk_full",
    "fills_root_with_one_file": "disk_full",
    "eats_memory": "out_of_memory",
    "writes_nothing": "output_missing:missing",
    "symlink": "output_invalid:not_a_regular_file",
    "fifo": "output_invalid:not_a_regular_file",
    "directory": "output_invalid:not_a_regular_file",
    "huge_sparse_file": "output_invalid:too_large",
}


@pytest.mark.parametrize(("behaviour", "code"), CODES.items(), ids=CODES)
def test_the_verdict_is_the_same(behaviour: str, code: str, run: Run) -> None:
    outcome = run(behaviour)
    assert outcome.verdict.code == code, outcome
    assert (outcome.output is not None) == (code == "valid")


def test_a_doubled_suffix_is_found(run: Run) -> None:
    assert "ending in .txt.txt" in run("doubled_suffix").verdict.message


def test_the_next_case_finds_nothing(run: Run) -> None:
    for _ in range(2):
        assert "found:\n" in run("looks_for_other_cases").log


def test_the_doctor_names_counters_that_one_container_could_use_up(tmp_path: Path) -> None:
    (tmp_path / "epoll").mkdir()
    settings = {"file-max": 2_466_170, "epoll/max_user_watches": 5_491_511, "pipe-user-pages-soft": 16_384}
    for name, value in settings.items():
        (tmp_path / name).write_text(f"{value}\n")
    found = doctor.counters(tmp_path, 16 * 2**30)
    assert found.level == "warning"
    remedy = f"fs.file-max={2**63 - 1} fs.epoll.max_user_watches={2**34 // 160} fs.pipe-user-pages-soft=0"
    assert f"sysctl -w {remedy} " in found.remedy
    for one in remedy.split():
        name, _, value = one.removeprefix("fs.").partition("=")
        (tmp_path / name.replace(".", "/")).write_text(value)
    assert doctor.counters(tmp_path, 16 * 2**30).level == "ok"


def test_the_doctor_warns_of_a_kernel_that_gives_crashed_processes_to_a_program() -> None:
    found = doctor.core_dumps("|/usr/share/apport/apport -p%p %P\n")
    assert (found.level, found.remedy.split()[:2]) == ("warning", ["sysctl", "-w"])
    assert doctor.core_dumps("core\n").level == "ok"


def test_the_doctor_says_which_bounds_do_not_hold(unprivileged: Engine, engine: Engine) -> None:
    levels = {finding.name: finding.level for finding in doctor.report(unprivileged)}
    assert levels["/output, /tmp, working directory"] == "warning"
    assert levels["engine"] == "ok"
    assert {finding.name for finding in doctor.report(engine)} == set(levels)
