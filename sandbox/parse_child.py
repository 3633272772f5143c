"""Single-use children that read strangers' output files: run as `python -m sandbox.parse_child`.

Importing what a check needs takes longer than most checks. So one process imports it once, never reads a
stranger's byte itself, and forks bounded children, each for one output. One of them is always there ahead of its
output. The process speaks JSON lines: a request of `evaluator.outputs.child` with the fields `id`, `answer` (the
file for what the child says) and `seconds` comes in, `{"id", "code": exit code, or minus a signal; null when the
child ran too long}` goes out, in the order in which children end. It ends with its input.
"""

import json
import os
import resource
import selectors
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ADDRESS_SPACE = 8 * 2**30
_CPU_SECONDS = 120
_FILE_SIZE = 4 * 2**30

OUR_FAULT = 3
OUT_OF_BOUNDS = 4
"""Exit codes: a defect or an unreadable input of ours; an output that needs more memory than a check may use."""


@dataclass(frozen=True)
class _Child:
    """A forked child: its process, a descriptor that tells when it ends, and the pipe that its request goes into."""

    pid: int
    handle: int
    request: int


def main() -> None:
    """Hands each request to a child of its own until the input ends."""
    Nursery().run()


class Nursery:
    """The children that are busy, by the descriptor that tells of their end, and the one that waits."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self._busy: dict[int, tuple[_Child, int, float]] = {}
        self._input = b""

    def run(self) -> None:
        """Serves requests until the input ends."""
        from evaluator.outputs import child  # before the first fork: every child has it then

        self._answer = child.answer
        self._spare = self._fork()
        while True:
            for key, _ in self._selector.select(self._next_deadline()):
                if key.fd in self._busy:
                    self._ended(key.fd)
                elif not self._read():
                    return
            self._kill_overdue()

    def _read(self) -> bool:
        """Take in requests; False at the end of the input."""
        data = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            self._hand_over(json.loads(line), line)
        return bool(data)

    def _hand_over(self, request: dict[str, Any], line: bytes) -> None:
        child = self._spare
        with os.fdopen(child.request, "wb") as pipe:
            pipe.write(line)
        deadline = time.monotonic() + float(request["seconds"])
        self._busy[child.handle] = child, int(request["id"]), deadline
        self._selector.register(child.handle, selectors.EVENT_READ)
        self._spare = self._fork()

    def _fork(self) -> _Child:
        theirs, ours = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            _wait_and_serve(self._answer, theirs)
        os.close(theirs)
        return _Child(pid, os.pidfd_open(pid), ours)

    def _ended(self, handle: int, *, overdue: bool = False) -> None:
        child, number, _ = self._busy.pop(handle)
        self._selector.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(child.pid, 0)
        code = None if overdue else os.waitstatus_to_exitcode(status)
        print(json.dumps({"id": number, "code": code}), flush=True)

    def _next_deadline(self) -> float | None:
        soonest = min((deadline for _, _, deadline in self._busy.values()), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic())

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for handle, (child, _, deadline) in list(self._busy.items()):
            if now > deadline:
                os.kill(child.pid, signal.SIGKILL)
                self._ended(handle, overdue=True)


def _wait_and_serve(answer: Any, pipe: int) -> None:
    """The life of a child until its request is there; it ends if none comes."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for own in (sys.stdin.fileno(), sys.stdout.fileno()):  # what the parent speaks through
            os.dup2(nothing, own)
        with os.fdopen(pipe, "rb") as source:
            line = source.read()
        if line:
            _serve(answer, json.loads(line))
    finally:
        os._exit(OUR_FAULT)


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


if __name__ == "__main__":
    main()
