"""Checks and encodes one output in a process of its own: `python -m evaluator.outputs.child`.

The caller limits the process (memory, time, files) and speaks this protocol:

- standard input: one JSON object `{"task": …, "output": path, "inputs": {key: path}, "destination": path}`,
  `task` as `Task.model_dump(mode="json")` writes it;
- the canonical bytes of a valid output are written to `destination`, which must not exist yet;
- standard output: one JSON object `{"valid", "check", "message", "warnings", "detail", "size"}`, `size` being
  the number of canonical bytes or null;
- exit code 0 whether the output is valid or not. Exit code 3 with `{"error": sentence}`: the request or an
  input cannot be read, which is not the participant's fault. Anything else (a signal, say, for a limit
  that was exceeded) is the caller's to judge.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from evaluator.outputs import InputUnreadable, check_and_encode
from evaluator.spec import Task

_FAULT = 3


def main() -> int:
    """Answer the request on standard input and return the exit code."""
    try:
        said, code = answer(json.load(sys.stdin))
    except ValueError as error:
        said, code = {"error": f"{type(error).__name__}: {error}"}, _FAULT
    print(json.dumps(said))
    return code


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """What is said to one request, and the exit code that goes with it."""
    try:
        return _answer(request), 0
    except (InputUnreadable, OSError, ValueError, KeyError, TypeError) as error:
        return {"error": f"{type(error).__name__}: {error}"}, _FAULT


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    inputs = {key: Path(path) for key, path in request["inputs"].items()}
    task = Task.model_validate(request["task"])
    result, canonical = check_and_encode(task, Path(request["output"]), inputs)
    if canonical is not None:
        _write(Path(request["destination"]), canonical)
    return {
        "valid": result.valid,
        "check": result.check,
        "message": result.message,
        "warnings": list(result.warnings),
        "detail": result.detail,
        "size": None if canonical is None else len(canonical),
    }


def _write(destination: Path, content: bytes) -> None:
    descriptor = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
