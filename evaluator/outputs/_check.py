"""Checks an output by its kind, and turns it into the canonical form that score workers accept."""

from collections.abc import Mapping
from pathlib import Path

from evaluator.outputs._result import CheckResult, InvalidOutput, Value
from evaluator.spec import Task


def check_output(task: Task, output: Path, inputs: Mapping[str, Path]) -> CheckResult:
    """Whether the file at `output` is a valid output of `task` for the case with these `inputs` (key → file).

    The file may come from a stranger: nothing is followed, no code in it runs, and what it may cost is
    bounded by the shape of the inputs.

    Returns:
        with `value` the float, the scores, the `LabelMap` or the float32 vector of a valid output, None otherwise.

    Raises:
        InputUnreadable: an input that a segmentation is compared with is missing or no NIfTI image.
    """
    try:
        value, warnings = task.kind.check(task.output, output, inputs)
    except InvalidOutput as error:
        return CheckResult(valid=False, check=error.check, message=error.message, detail=error.detail)
    return CheckResult(valid=True, check=None, message="The output is valid.", warnings=warnings, value=value)


def encode(task: Task, value: Value) -> bytes:
    """The canonical bytes of a checked value: the same value gives the same bytes on every platform."""
    return task.kind.encode(task.output, value)


def decode(task: Task, data: bytes) -> Value:
    """The value that `encode` wrote for this task.

    Raises:
        NotCanonical: these are other bytes.
    """
    return task.kind.decode(task.output, data)


def agree(task: Task, one: bytes, other: bytes) -> bool:
    """Whether two canonical outputs of one case are the same answer, within the tolerance of their kind.

    A case that was answered by a container that serves several is repeated now and then in a fresh one. Sums in
    another order differ in the last digits, so equality is asked for up to what no metric or ranking notices.

    Raises:
        NotCanonical: bytes that no check of ours wrote.
    """
    return task.kind.same(decode(task, one), decode(task, other))


def check_and_encode(
    task: Task, output: Path, inputs: Mapping[str, Path]
) -> tuple[CheckResult, bytes | None]:
    """`check_output`, and the canonical bytes of a valid output.

    Raises:
        InputUnreadable: as `check_output`.
    """
    result = check_output(task, output, inputs)
    if result.value is None:
        return result, None
    return result, encode(task, result.value)
