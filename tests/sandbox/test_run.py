"""What comes of one case in a real container: honest programs, and every way to fail."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.outputs import decode
from evaluator.spec import Challenge
from evaluator.verdicts import PlatformFault
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob
from sandbox.run import run_case
from tests.hostile.images import NO_PYTHON, build
from tests.sandbox.conftest import Run


@pytest.mark.parametrize("task", ["task5", "task4", "task6"])
def test_a_valid_output_comes_back_in_its_canonical_form(task: str, run: Run, challenge: Challenge) -> None:
    outcome = run("valid", task)
    assert outcome.verdict.code == "valid"
    assert outcome.output is not None
    decode(challenge.tasks[task], outcome.output)
    assert outcome.exit_code == 0
    assert 0 < outcome.seconds < 10
    assert outcome.peak_memory_bytes is not None
    assert outcome.peak_memory_bytes > 2**20


FAILURES = {
    "exits_3": "exit_code",
    "eats_memory": "out_of_memory",
    "fills_output": "disk_full",
    "fills_output_and_exits_0": "disk_full",
    "fills_tmp": "disk_full",
    "fills_working_directory": "disk_full",
    "fills_root": "disk_full",
    "fills_root_and_memory": "disk_full",
    "fills_root_with_one_file": "disk_full",
    "fills_root_with_deleted_files": "disk_full",
    "fills_root_with_mapped_files": "disk_full",
    "makes_many_files": "disk_full",
    "writes_nothing": "output_missing:missing",
    "doubled_suffix": "output_missing:missing",
    "symlink": "output_invalid:not_a_regular_file",
    "hard_link": "output_invalid:not_a_regular_file",
    "fifo": "output_invalid:not_a_regular_file",
    "directory": "output_invalid:not_a_regular_file",
    "unix_socket": "output_invalid:not_a_regular_file",
    "huge_sparse_file": "output_invalid:too_large",
    "not_a_number": "output_invalid:finite",
}


@pytest.mark.parametrize(("behaviour", "code"), FAILURES.items(), ids=FAILURES)
def test_every_failure_has_its_own_verdict(behaviour: str, code: str, run: Run) -> None:
    outcome = run(behaviour)
    assert outcome.verdict.code == code, outcome
    assert outcome.output is None


INVALID_MASKS = {
    "four_dimensions": "dimensions",
    "wrong_shape": "shape",
    "label_out_of_range": "labels",
    "not_a_number": "finite",
    "not_gzip": "gzip",
    "gzip_bomb": None,
    "lies_about_its_size": None,
}


@pytest.mark.parametrize(("behaviour", "check"), INVALID_MASKS.items(), ids=INVALID_MASKS)
def test_an_invalid_mask_is_named_by_its_check(behaviour: str, check: str | None, run: Run) -> None:
    outcome = run(behaviour, "task4", output=32 * 2**20)
    assert outcome.verdict.fault == "output_invalid"
    assert check is None or outcome.verdict.check == check


@pytest.mark.parametrize("behaviour", ["pickled", "bare_pickle"])
def test_a_pickle_is_never_loaded(behaviour: str, run: Run) -> None:
    assert run(behaviour, "task6").verdict.fault == "output_invalid"


def test_a_doubled_suffix_is_named_in_the_message(run: Run) -> None:
    assert "ending in .nii.gz.nii.gz" in run("doubled_suffix", "task4").verdict.message


def test_a_program_that_hangs_is_killed_at_the_limit(run: Run) -> None:
    outcome = run("hangs", seconds_per_case=2)
    assert outcome.verdict.code == "timeout"
    assert 1.9 <= outcome.seconds < 4


def test_a_fork_bomb_has_too_many_processes(run: Run) -> None:
    assert run("forks_without_end", seconds_per_case=60).verdict.code == "too_many_processes"


def test_a_valid_output_stays_valid_when_a_child_was_killed_for_memory(run: Run) -> None:
    outcome = run("child_eats_memory")
    assert outcome.verdict.code == "valid"
    assert "memory" in outcome.verdict.warnings[0]
    assert outcome.oom_killed


def test_processes_left_behind_neither_delay_nor_spoil_a_case(run: Run) -> None:
    outcome = run("leaves_processes_behind")
    assert outcome.verdict.code == "valid"
    assert outcome.seconds < 5


def test_a_kill_by_somebody_else_is_not_the_participants_fault(
    engine: Engine, make_job: Callable[..., CaseJob]
) -> None:
    job = make_job("hangs")
    threading.Timer(3.0, engine.raw.kill, [job.name]).start()
    with pytest.raises(EngineFault) as raised:
        run_case(engine, job)
    assert raised.value.fault is PlatformFault.WORKER_LOST


def test_a_program_that_kills_itself_has_failed_by_its_own_fault(run: Run) -> None:
    assert run("kills_itself").verdict.code == "exit_code"


def test_an_image_without_the_program_cannot_start(run: Run, load: Callable[[Path], str], base: str) -> None:
    outcome = run(image=load(build(NO_PYTHON, base)))
    assert outcome.verdict.code == "no_start"
    assert outcome.output is None


def test_the_log_keeps_its_tail_only(run: Run) -> None:
    outcome = run("floods_the_log")
    assert outcome.verdict.code == "valid"
    assert outcome.log.endswith("the end\n")
    assert len(outcome.log) <= 64 * 1024


def test_a_case_that_is_told_to_stop_stops(engine: Engine, make_job: Callable[..., CaseJob]) -> None:
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    started = time.monotonic()
    with pytest.raises(EngineFault) as raised:
        run_case(engine, make_job("hangs", stop=stop))
    assert raised.value.fault is PlatformFault.WORKER_LOST
    assert time.monotonic() - started < 8


def test_an_image_that_is_not_there_is_a_platform_fault(run: Run) -> None:
    with pytest.raises(EngineFault) as raised:
        run(image="sha256:" + "0" * 64)
    assert raised.value.fault is PlatformFault.IMAGE_MISSING


def test_an_input_that_is_not_there_is_a_platform_fault(run: Run, tmp_path: Path) -> None:
    with pytest.raises(EngineFault) as raised:
        run(inputs={"t1w": tmp_path / "gone.nii.gz"})
    assert raised.value.fault is PlatformFault.INPUT_MISSING
