"""Single-use children that read strangers' output files: run as `python -m sandbox.parse_child`.

Importing what a check needs takes longer than most checks. So one process imports it once, never reads a
stranger's byte itself, and forks a bounded child per output. It speaks JSON lines: a request of
`evaluator.outputs.child` with the fields `answer` (the file for what the child says) and `seconds` comes in,
`{"code": exit code, or minus a signal; null when the child ran too long}` goes out. It ends with its input.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

_ADDRESS_SPACE = 8 * 2**30
_CPU_SECONDS = 120
_FILE_SIZE = 4 * 2**30
_LOOK_EVERY = 0.002

OUR_FAULT = 3
OUT_OF_BOUNDS = 4
"""Exit codes: a defect or an unreadable input of ours; an output that needs more memory than a check may use."""


def main() -> None:
    """Forks one child per request until the input ends."""
    from evaluator.outputs import child  # before the first fork: every child has it then

    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(child.answer, request)
        print(json.dumps({"code": _code(pid, float(request["seconds"]))}), flush=True)


def _serve(answer: Any, request: dict[str, Any]) -> None:
    """The child's whole life: bounds, one output, one answer."""
    code = OUR_FAULT
    try:
        os.setsid()
        _bound()
        said, code = answer(request)
        Path(request["answer"]).write_text(json.dumps(said))
    except MemoryError:
        code = OUT_OF_BOUNDS
    except BaseException as error:  # noqa: BLE001 - a defect of ours, never the participant's
        Path(request["answer"]).write_text(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        code = OUR_FAULT
    finally:
        os._exit(code)


def _bound() -> None:
    bounds = (
        (resource.RLIMIT_AS, _ADDRESS_SPACE),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    )
    for kind, bound in bounds:
        resource.setrlimit(kind, (bound, bound))


def _code(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        time.sleep(_LOOK_EVERY)


if __name__ == "__main__":
    main()
