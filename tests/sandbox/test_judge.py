"""Verdicts from how a container ended: causes before symptoms."""

import dataclasses

import pytest

from evaluator.verdicts import Fault, Verdict
from sandbox.judge import cause, failed
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


@pytest.mark.parametrize("reason", ["No such file or directory", "Permission denied", "Exec format error"])
def test_a_command_that_init_cannot_execute_never_started(reason: str) -> None:
    log = f"[FATAL tini (8)] exec python failed: {reason}\n"
    assert failed(ending(exit_code=127), log).fault is Fault.NO_START  # type: ignore[union-attr]
    assert failed(ending(exit_code=1), log).fault is Fault.EXIT_CODE  # type: ignore[union-attr]


def test_the_exit_code_itself_is_not_told() -> None:
    messages = {failed(ending(exit_code=code), "").message for code in (1, 2, 200)}  # type: ignore[union-attr]
    assert len(messages) == 1
