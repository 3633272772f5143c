"""Checking and re-encoding a collected output in a child that may hang, grow or die without harm."""

import atexit
import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evaluator.verdicts import Check, Fault, PlatformFault, Verdict
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob
from sandbox.parse_child import OUR_FAULT

_WALL_SECONDS = 180
_UNREADABLE_MESSAGE = "The output file could not be read within the memory and time that a check may use."


@dataclass(frozen=True)
class Checked:
    """The verdict on an output file; of a valid one its canonical encoding.

    `detail` may hold values of the output: it is for those alone who may see both that and the data.
    """

    verdict: Verdict
    output: bytes | None = None
    detail: str = ""


def check(job: CaseJob, output: Path) -> Checked:
    """Looks at the file `output` of a case, in a child.

    Raises:
        EngineFault: no child could run, or an input that the output is compared with cannot be read.
    """
    destination = job.scratch / "canonical"
    said = _ask(job, output, destination)
    if said is None:
        return Checked(Verdict(Fault.OUTPUT_INVALID, _UNREADABLE_MESSAGE, job.task.kind.unreadable))
    warnings = tuple(said["warnings"])
    if said["valid"]:
        return Checked(Verdict(None, str(said["message"]), warnings=warnings), destination.read_bytes())
    failed = Check(said["check"])
    fault = Fault.OUTPUT_MISSING if failed is Check.MISSING else Fault.OUTPUT_INVALID
    return Checked(Verdict(fault, str(said["message"]), failed, warnings), detail=str(said["detail"]))


def _ask(job: CaseJob, output: Path, destination: Path) -> dict[str, Any] | None:
    """The child's answer; None if it died or did not end, which only the output can have caused."""
    answer = job.scratch / "answer.json"
    code = _nursery.run(
        {
            "task": job.task.model_dump(mode="json"),
            "output": str(output.resolve()),
            "inputs": {key: str(path.resolve()) for key, path in job.inputs.items()},
            "destination": str(destination.resolve()),
            "answer": str(answer.resolve()),
            "seconds": _WALL_SECONDS,
        }
    )
    if code == OUR_FAULT:
        detail = answer.read_text(errors="replace")[-500:] if answer.is_file() else "no reason was given"
        raise EngineFault(PlatformFault.INPUT_MISSING, f"an output could not be checked: {detail}")
    if code != 0:
        return None
    said: dict[str, Any] = json.loads(answer.read_text())
    return said


class _Nursery:
    """The process that forks a child per output; started when first needed, and again if it died.

    Several outputs may be checked at once, each asked for by a thread of its own.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[int | None]] = {}

    def run(self, request: dict[str, Any]) -> int | None:
        """The exit code of the child for this request; None if it ran too long."""
        asked: Future[int | None] = Future()
        with self._lock:
            process, number = self._alive(), next(self._numbers)
            self._asked[number] = asked
            try:
                _pipe(process.stdin).write(json.dumps({**request, "id": number}).encode() + b"\n")
                _pipe(process.stdin).flush()
            except OSError:
                process.kill()  # the reader tells everybody who waits
        return asked.result()

    def _listen(self, process: subprocess.Popen[bytes], asked: dict[int, "Future[int | None]"]) -> None:
        for line in _pipe(process.stdout):
            said = json.loads(line)
            asked.pop(said["id"]).set_result(said["code"])
        died = EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "the process that checks outputs died")
        with self._lock:
            if self._process is process:
                self._process = None
            while asked:
                asked.popitem()[1].set_exception(died)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                _pipe(stream).close()

    def stop(self) -> None:
        """Ends the process if it runs."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            self._listener.join()

    def start(self) -> None:
        """Starts the process unless it runs."""
        with self._lock:
            self._alive()

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._asked = {}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.parse_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                cwd="/",
            )
            arguments = (self._process, self._asked)
            self._listener = threading.Thread(target=self._listen, args=arguments, name="parser", daemon=True)
            self._listener.start()
        return self._process


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started with pipes")
    return stream


_nursery = _Nursery()


@atexit.register
def stop() -> None:
    """Ends the process that checks outputs; it also ends by itself when this process dies."""
    _nursery.stop()


def start() -> None:
    """Starts the process that checks outputs ahead of the first case, for its imports take as long as one."""
    _nursery.start()


def _environment() -> dict[str, str]:
    """Only what a child needs: none of the worker's own settings and tokens."""
    packages = [str(Path(__file__).parents[1]), *(path for path in sys.path if path)]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.environ.get("PATH", os.defpath)
    return {
        "PATH": path,
        "PYTHONPATH": os.pathsep.join(packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        **one_thread,
    }
