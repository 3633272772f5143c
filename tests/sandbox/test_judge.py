"""Verdicts from how a container ended: causes before symptoms."""

import dataclasses

import pytest

from evaluator.verdicts import OUTPUT_FULL, SHM_FULL, Fault, Verdict
from sandbox.judge import cause, failed, too_late
from sandbox.watch import Ending, Killed

ENDED = Ending(0, 1.0, None, False, False, False, None)


def ending(**changes: object) -> Ending:
    return dataclasses.replace(ENDED, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (ending(exit_code=3), Fault.EXIT_CODE),
        (ending(exit_code=137, killed=Killed.TIMEOUT), Fault.TIMEOUT),
        (ending(exit_code=137, killed=Killed.DISK), Fault.DISK_FULL),
        (ending(exit_code=137, oom_killed=True), Fault.OUT_OF_MEMORY),
        (ending(exit_code=137, killed=Killed.TIMEOUT, oom_killed=True), Fault.OUT_OF_MEMORY),
        (ending(exit_code=1, disk_full=True), Fault.DISK_FULL),
        (ending(exit_code=1, processes_full=True, oom_killed=True), Fault.TOO_MANY_PROCESSES),
        (ending(exit_code=137, disk_full=True, oom_killed=True), Fault.OUT_OF_MEMORY),
        (ending(exit_code=137, disk_over=True, oom_killed=True), Fault.DISK_FULL),
        (ending(exit_code=137, killed=Killed.TIMEOUT, processes_full=True), Fault.TOO_MANY_PROCESSES),
        (ending(exit_code=137, killed=Killed.DISK, processes_full=True), Fault.TOO_MANY_PROCESSES),
        (ending(exit_code=1, overran=True, processes_full=True), Fault.TOO_MANY_PROCESSES),
    ],
)
def test_a_failed_container_has_the_fault_of_its_cause(how: Ending, fault: Fault) -> None:
    verdict = failed(how, log="")
    assert verdict is not None
    assert verdict.fault is fault


def test_exit_code_0_is_no_failure_whatever_happened_to_its_children() -> None:
    assert failed(ending(oom_killed=True, disk_full=True, processes_full=True), log="") is None


def test_a_valid_output_outranks_every_cause() -> None:
    valid = Verdict(None, "fine")
    assert cause(ending(oom_killed=True), valid) is valid


def test_a_missing_output_is_explained_by_a_full_disk() -> None:
    assert cause(ending(disk_full=True), Verdict(Fault.OUTPUT_MISSING, "")).fault is Fault.DISK_FULL


@pytest.mark.parametrize(
    ("reason", "code", "says"),
    [
        ("No such file or directory", 127, "not in the image"),
        ("Permission denied", 126, "does not allow"),
        ("Exec format error", 1, "another kind of machine"),
        ("Not a directory", 1, "not a directory"),
        ("Too many levels of symbolic links", 1, "cannot be executed"),
    ],
)
def test_a_command_that_init_cannot_execute_never_started(reason: str, code: int, says: str) -> None:
    log = f"[FATAL tini (8)] exec python failed: {reason}\n"
    verdict = failed(ending(exit_code=code), log)
    assert verdict is not None
    assert verdict.fault is Fault.NO_START
    assert says in verdict.message
    assert failed(ending(exit_code=2), log).fault is Fault.EXIT_CODE  # type: ignore[union-attr]
    assert failed(ending(exit_code=code), f"{reason}\n").fault is Fault.EXIT_CODE  # type: ignore[union-attr]


def test_the_exit_code_itself_is_not_told() -> None:
    messages = {failed(ending(exit_code=code), "").message for code in (1, 2, 200)}  # type: ignore[union-attr]
    assert len(messages) == 1


@pytest.mark.parametrize("bound", ["processes_full", "oom_killed", "disk_full"])
def test_a_bound_that_was_met_explains_a_late_end_too(bound: str) -> None:
    verdict = failed(ending(exit_code=1, overran=True, **{bound: True}), "")
    assert verdict is not None
    assert too_late(verdict) is verdict


@pytest.mark.parametrize("fault", [None, Fault.EXIT_CODE, Fault.OUTPUT_MISSING, Fault.OUTPUT_INVALID])
def test_whatever_else_ends_late_is_a_timeout(fault: Fault | None) -> None:
    assert too_late(Verdict(fault, "")).fault is Fault.TIMEOUT


def test_a_full_output_folder_is_told_from_what_was_written_in_all() -> None:
    full = {"exit_code": 1, "disk_full": True, "output_full": True}
    assert failed(ending(**full), "").message == OUTPUT_FULL  # type: ignore[union-attr]
    assert failed(ending(**full, disk_over=True), "").message != OUTPUT_FULL  # type: ignore[union-attr]
    assert failed(ending(exit_code=1, disk_full=True), "").message != OUTPUT_FULL  # type: ignore[union-attr]


def test_full_shared_memory_is_told_unless_something_else_explains_the_end() -> None:
    assert failed(ending(exit_code=135, shm_full=True), "").message == SHM_FULL  # type: ignore[union-attr]
    out = failed(ending(exit_code=137, shm_full=True, oom_killed=True), "")
    assert out is not None
    assert out.fault is Fault.OUT_OF_MEMORY
