"""The smallest program that passes the checks of a task, for people to copy and put their model into."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from evaluator.spec import Task

_HEAD = """\
import argparse

parser = argparse.ArgumentParser()
{flags}
parser.add_argument("--output", required=True)
case = parser.parse_args()
"""
_TEXT = """
answer = {answer}  # your model's answer for this case
with open(case.output, "w") as file:
    file.write({written})
"""
_MAP = """
import nibabel
import numpy

image = nibabel.load({first})
labels = numpy.zeros(image.shape[:3], dtype="uint8")  # your model's labels of each voxel: {labels}
nibabel.save(nibabel.Nifti1Image(labels, image.affine), case.output)
"""
_VECTOR = """
import numpy

vector = numpy.zeros(16, dtype="float32")  # your model's vector, as wide in every case
numpy.save(case.output, vector)
"""


def program(task: Task) -> str | None:
    """A whole program that gives a valid answer to every case, and the poorest; None for kinds that this does not know.

    It takes every flag of the task, because a case lacks some of those of which it has at least one.
    """
    made = _BODIES.get(task.output.kind)
    if made is None:
        return None
    flags = "\n".join(f'parser.add_argument("{one.flag}")' for one in task.all_inputs)
    return _HEAD.format(flags=flags) + made(task)


def packages(task: Task) -> str:
    """What that program imports beside Python's own."""
    return {"segmentation": "nibabel", "embedding": "numpy"}.get(task.output.kind, "")


def dockerfile(task: Task) -> str | None:
    """The file that builds that program into an image; None where the call is not one of Python at an absolute path."""
    call = task.call or ("python", "/app/predict.py")
    if len(call) != 2 or not call[0].startswith("python") or not call[1].startswith("/"):
        return None
    lines = ["FROM python:3.11-slim"]
    lines += [f"RUN pip install --no-cache-dir {packages(task)}"] if packages(task) else []
    lines.append(f"COPY predict.py {call[1]}")
    lines += [] if task.call else [f"ENTRYPOINT {json.dumps(list(call))}"]
    return "\n".join(lines)


def _text(answer: object, written: str) -> str:
    return _TEXT.format(answer=answer, written=written)


def _number(task: Task) -> str:
    """In the middle of the range, which is valid wherever both bounds are."""
    output: Any = task.output
    bounds = [bound for bound in (output.minimum, output.maximum) if bound is not None]
    return _text(float(sum(bounds) / len(bounds)) if bounds else 50.0, "str(answer)")


def _scores(task: Task) -> str:
    output: Any = task.output
    count = len(output.classes)
    return _text(f"[1 / {count}] * {count}", '" ".join(str(score) for score in answer)')


def _map(task: Task) -> str:
    output: Any = task.output
    given = " or ".join(f"case.{_variable(one.flag)}" for one in task.all_inputs)
    return _MAP.format(first=given, labels=", ".join(map(str, output.labels[:20])))


def _variable(flag: str) -> str:
    """What argparse calls the value of a flag."""
    return flag.removeprefix("--").replace("-", "_")


def _points(task: Task) -> str:
    return _json([])


def _table(task: Task) -> str:
    output: Any = task.output
    return _json({column.name: _cell(column) for column in output.columns if column.required})


def _cell(column: Any) -> Any:
    if column.type == "boolean":
        return False
    if column.type == "category":
        return column.values[0]
    bound = next((one for one in (column.minimum, column.maximum) if one is not None), 0.0)
    return int(bound) if column.type == "integer" else bound


def _json(answer: object) -> str:
    return "\nimport json\n" + _text(repr(answer), "json.dumps(answer)")


_BODIES: Mapping[str, Callable[[Task], str]] = {
    "number": _number,
    "scores": _scores,
    "segmentation": _map,
    "embedding": lambda task: _VECTOR,
    "points": _points,
    "table": _table,
}
