"""Checking and re-encoding a collected output in a child that may hang, grow or die without harm."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from evaluator.verdicts import Check, Fault, PlatformFault, Verdict
from sandbox.faults import EngineFault
from sandbox.jobs import CaseJob

_WALL_SECONDS = 180
_OUR_FAULT = 3
_UNREADABLE = {"number": Check.DECIMAL_FLOAT, "segmentation": Check.HEADER, "embedding": Check.NPY}
_UNREADABLE_MESSAGE = "The output file could not be read within the memory and time that a check may use."


class Checker:
    """One child that checks one output; started early, because its imports take as long as a container.

    Leaving the context kills the child if it is still there.
    """

    def __init__(self, job: CaseJob) -> None:
        self._job = job
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sandbox.parse_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd=job.scratch,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def check(self, output: Path) -> tuple[Verdict, bytes | None]:
        """The verdict on the file `output` and, if it is valid, its canonical encoding.

        Raises:
            EngineFault: the child could not run, or an input that the output is compared with cannot be read.
        """
        destination = self._job.scratch / "canonical"
        said = self._ask(output, destination)
        if said is None:
            check = _UNREADABLE[self._job.task.output.kind]
            return Verdict(Fault.OUTPUT_INVALID, _UNREADABLE_MESSAGE, check), None
        warnings = tuple(said["warnings"])
        if said["valid"]:
            return Verdict(None, str(said["message"]), warnings=warnings), destination.read_bytes()
        check = Check(said["check"])
        fault = Fault.OUTPUT_MISSING if check is Check.MISSING else Fault.OUTPUT_INVALID
        return Verdict(fault, str(said["message"]), check, warnings), None

    def _ask(self, output: Path, destination: Path) -> dict[str, Any] | None:
        """The child's answer; None if it died or did not end, which only the output can have caused."""
        question = {
            "task": self._job.task.model_dump(mode="json"),
            "output": str(output.resolve()),
            "inputs": {key: str(path.resolve()) for key, path in self._job.inputs.items()},
            "destination": str(destination.resolve()),
        }
        try:
            said, words = self._child.communicate(json.dumps(question).encode(), timeout=_WALL_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        if self._child.returncode == _OUR_FAULT or b"ModuleNotFoundError" in words:
            text = (said + words).decode(errors="replace")
            raise EngineFault(PlatformFault.INPUT_MISSING, f"an output could not be checked: {text[-500:]}")
        if self._child.returncode != 0:
            return None
        answer: dict[str, Any] = json.loads(said)
        return answer


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
