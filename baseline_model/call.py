"""One case from the call to the output file. Everything that can be wrong is found before torch is loaded."""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from baseline_model.scans import CannotAnswer, CaseFault, Scan, check_grids, read_scan
from baseline_model.times import CaseTimes, process_start
from baseline_model.writing import check_place, write

if TYPE_CHECKING:
    from baseline_model.checkpoint import TrainedModel

FLAGS = {
    "flair": "flair", "dwi": "dwi", "adc": "adc", "t2s": "t2s", "swi": "swi", "t1": "t1w", "t2": "t2w", "input": "t1w",
}  # fmt: skip

USED = {
    "task1": ("flair", "dwi", "adc"), "task2": ("flair", "dwi"), "task3": ("t1w",),
    "task4": ("t2w",), "task5": ("t1w",), "task6": ("t1w",),
}  # fmt: skip
"""The sequences that a task's answer is made of; the others are not read."""

ONE_OF = {"task1": ("t2s", "swi"), "task2": ("t2s", "swi")}
"""The sequences of which a task's call names exactly one."""


@dataclass(frozen=True)
class CaseCall:
    """What one call asks for; `paths` by sequence."""

    task: str
    paths: Mapping[str, Path]
    output: Path
    times: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CannotAnswer(CaseFault.CALL, f"the call: {message}")


def main(arguments: list[str] | None = None) -> int:
    """One case in a process of its own; the exit code. A refusal is one line on standard error."""
    try:
        answer_case(arguments, times=CaseTimes(began=process_start()))
    except CannotAnswer as refusal:
        print(refusal, file=sys.stderr)
        return refusal.fault
    return 0


def answer_case(
    arguments: list[str] | None = None, model: "TrainedModel | None" = None, times: CaseTimes | None = None
) -> None:
    """Reads the call, predicts, writes the output file. The model is loaded unless it is given.

    Raises:
        CannotAnswer: the call, a scan, the output or the checkpoint does not allow it; nothing was written.
    """
    times = times or CaseTimes()
    call = parse(arguments)
    check_place(call.output)
    times.done("start")
    scans, header = read(call)
    times.done("read")
    from baseline_model import inference  # torch takes a second: later than what needs none

    times.done("import")
    model = model or inference.ready_model()
    times.done("model")
    answer = inference.predict(model, call.task, scans, inference.ready_device())
    times.done("head")
    write(answer, call.output, like=header)
    times.done("write")
    if call.times:
        print(times.line(), file=sys.stderr)


def parse(arguments: list[str] | None) -> CaseCall:
    """The call, checked without opening a file.

    Raises:
        CannotAnswer: it is not the call of a task.
    """
    parser = _Parser(prog="predict.py", allow_abbrev=False)
    for flag in FLAGS:
        parser.add_argument(f"--{flag}", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--times", action="store_true", help="say on standard error where the seconds went")
    given = vars(parser.parse_args(arguments))
    paths = {key: given[flag] for flag, key in FLAGS.items() if given[flag] is not None}
    task = os.environ.get("PROCTOR_TASK") or guess_task(set(paths), given["output"])
    _check_sequences(task, paths)
    times = given["times"] or os.environ.get("PROCTOR_TIMES") == "1"
    return CaseCall(task, paths, given["output"], times)


def guess_task(sequences: set[str], output: Path) -> str:
    """The task by its inputs, where nobody names it. Tasks 3 and 5 have the same call; it takes 3."""
    if "flair" in sequences:
        return "task1" if "adc" in sequences else "task2"
    if "t2w" in sequences:
        return "task4"
    return "task6" if output.suffix == ".npy" else "task3"


def _check_sequences(task: str, paths: Mapping[str, Path]) -> None:
    if task not in USED:
        raise CannotAnswer(CaseFault.CALL, f"the call: unknown task {task!r}, known are {', '.join(USED)}")
    flags = {key: flag for flag, key in reversed(FLAGS.items())}
    if missing := [f"--{flags[key]}" for key in USED[task] if key not in paths]:
        raise CannotAnswer(CaseFault.CALL, f"the call: {task} needs {' and '.join(missing)}")
    choice = ONE_OF.get(task, ())
    if choice and sum(key in paths for key in choice) != 1:
        raise CannotAnswer(CaseFault.CALL, f"the call: {task} takes exactly one of --t2s and --swi")


def read(call: CaseCall) -> tuple[dict[str, Scan], Any]:
    """The scans that the answer is made of, by sequence, and the header of the first.

    Raises:
        CannotAnswer: one of them holds no scan, or they do not lie on one grid.
    """
    found = {key: read_scan(call.paths[key]) for key in USED[call.task]}
    scans = {key: scan for key, (scan, _) in found.items()}
    check_grids(call.paths, scans)
    return scans, next(header for _, header in found.values())
