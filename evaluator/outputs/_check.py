"""Checks an output by its kind, and turns it into the canonical form that score workers accept.

Adding a kind of output adds a row to the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.outputs import _embedding, _labelmap, _number, _scores, _segmentation
from evaluator.outputs._result import CheckResult, InvalidOutput, Value
from evaluator.spec import Task


@dataclass(frozen=True)
class _Kind:
    check: Callable[[Any, Path, Mapping[str, Path]], tuple[Value, tuple[str, ...]]]
    encode: Callable[[Any, Any], bytes]
    decode: Callable[[Any, bytes], Value]


_KINDS = {
    "number": _Kind(_number.check, _number.encode, _number.decode),
    "scores": _Kind(_scores.check, _scores.encode, _scores.decode),
    "segmentation": _Kind(_segmentation.check, _labelmap.encode, _labelmap.decode),
    "embedding": _Kind(_embedding.check, _embedding.encode, _embedding.decode),
}


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
        value, warnings = _KINDS[task.output.kind].check(task.output, output, inputs)
    except InvalidOutput as error:
        return CheckResult(valid=False, check=error.check, message=error.message, detail=error.detail)
    return CheckResult(valid=True, check=None, message="The output is valid.", warnings=warnings, value=value)


def encode(task: Task, value: Value) -> bytes:
    """The canonical bytes of a checked value: the same value gives the same bytes on every platform."""
    return _KINDS[task.output.kind].encode(task.output, value)


def decode(task: Task, data: bytes) -> Value:
    """The value that `encode` wrote for this task.

    Raises:
        NotCanonical: these are other bytes.
    """
    return _KINDS[task.output.kind].decode(task.output, data)


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
