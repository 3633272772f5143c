"""What differs from one kind of output to another: the model's place with the poorest answer, and how it is written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contract.skeleton._flags import value_of
from evaluator.spec import OneOf, Task

MOST_SHOWN = 20
"""Labels that a comment lists."""


@dataclass(frozen=True)
class Body:
    """The lines of `predict` and of `write`, and the modules and packages that they import."""

    predict: str
    write: str
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


def body_of(task: Task) -> Body | None:
    """That of the task's kind of output; None for kinds that this does not know."""
    made = _BODIES.get(task.output.kind)
    return None if made is None else made(task)


_TEXT = """\
    with open(path, "w", encoding="utf-8") as file:
        file.write({written})"""
_JSON = """\
    with open(path, "w", encoding="utf-8") as file:
        json.dump(answer, file)"""
_IMAGE = """\
    image = nibabel.load({path})
    voxels = image.get_fdata(dtype="float32")"""
_MAP = """\
    voxels = voxels.reshape(*image.shape[:3], -1)[..., 0]  # some scans have an axis of time
    labels = numpy.zeros(voxels.shape, dtype="{dtype}")
    # Your model's label of each voxel, of {labels}. Here: the brightest hundredth.
    labels[voxels > numpy.nanpercentile(voxels, 99)] = {label}
    return nibabel.Nifti1Image(labels, image.affine)"""
_VECTOR = """\
    voxels = numpy.nan_to_num(voxels, posinf=0, neginf=0)
    # Your model's vector, as wide in every case. Here: how the intensities are spread.
    spread = numpy.percentile(voxels, numpy.linspace(0, 100, {width}))
    return (spread - voxels.mean()) / (voxels.std() or 1)"""
_POINT = """\
    where = numpy.unravel_index(numpy.nan_to_num(voxels).argmax(), voxels.shape)[:3]
    x, y, z = {place}
    # Your model's points{order}. Here: {here}.
    return [{fields}]"""


def _first(task: Task) -> tuple[str, bool]:
    """The expression for the path of a case's first image, and whether it is one that nibabel reads."""
    entry = task.inputs[0]
    options = entry.one_of if isinstance(entry, OneOf) else (entry,)
    path = " or ".join(f"case.{value_of(one.flag)}" for one in options)
    return path, all(one.file.endswith((".nii", ".nii.gz")) for one in options)


def _with_image(task: Task, lines: str, write: str, *modules: str) -> Body:
    path, _ = _first(task)
    return Body(f"{_IMAGE.format(path=path)}\n{lines}", write, modules, ("nibabel", "numpy"))


def _number(task: Task) -> Body:
    """In the middle of the range, which is valid wherever both bounds are."""
    output: Any = task.output
    bounds = [bound for bound in (output.minimum, output.maximum) if bound is not None]
    answer = float(sum(bounds) / len(bounds)) if bounds else 50.0
    return Body(
        f"    return {answer}  # your model's answer for this case", _TEXT.format(written="str(answer)")
    )


def _scores(task: Task) -> Body:
    output: Any = task.output
    count, classes = len(output.classes), ", ".join(map(_quoted, output.classes[:MOST_SHOWN]))
    lines = f"    # Your model's score of each class, in this order: {classes}\n    return [1 / {count}] * {count}"
    return Body(lines, _TEXT.format(written='" ".join(str(score) for score in answer)'))


def _map(task: Task) -> Body:
    output: Any = task.output
    largest, label = max(output.labels), next(one for one in output.labels if one)
    dtype = "uint8" if largest < 2**8 else "uint16" if largest < 2**16 else "uint32"
    labels = ", ".join(map(str, output.labels[:MOST_SHOWN]))
    return _with_image(
        task, _MAP.format(dtype=dtype, labels=labels, label=label), "    nibabel.save(answer, path)"
    )


def _embedding(task: Task) -> Body:
    output: Any = task.output
    write, width = '    numpy.save(path, numpy.asarray(answer, dtype="float32"))', min(16, output.max_width)
    if _first(task)[1]:
        return _with_image(task, _VECTOR.format(width=width), write)
    lines = f"    return [0.0] * {width}  # your model's vector, as wide in every case"
    return Body(lines, write, packages=("numpy",))


def _points(task: Task) -> Body:
    output: Any = task.output
    if not _first(task)[1]:
        return Body("    return []  # your model's points; none is an answer, too", _JSON, ("json",))
    fields = '{"x": float(x), "y": float(y), "z": float(z)'
    fields += ', "confidence": 0.5' if output.confidence else ""
    fields += ', "name": name}' if output.names else "}"
    names = ", ".join(map(_quoted, output.names[: output.most]))
    lines = _POINT.format(
        place="nibabel.affines.apply_affine(image.affine, where)" if output.unit == "mm" else "where",
        order=", in mm of the world that the image's affine leads to"
        if output.unit == "mm"
        else ", in voxels",
        here="the brightest voxel",
        fields=f"{fields} for name in [{names}]" if output.names else fields,
    )
    return _with_image(task, lines, _JSON, "json")


def _table(task: Task) -> Body:
    output: Any = task.output
    cells = [f'        "{column.name}": {_cell(column)},\n' for column in output.columns if column.required]
    inside = "{\n" + "".join(cells) + "    }" if cells else "{}"
    return Body(f"    # Your model's value of each column.\n    return {inside}", _JSON, ("json",))


def _cell(column: Any) -> str:
    """A value that the column takes, as Python writes it."""
    if column.type == "boolean":
        return "False"
    if column.type == "category":
        return _quoted(column.values[0])
    bound = next((one for one in (column.minimum, column.maximum) if one is not None), 0.0)
    return str(int(bound) if column.type == "integer" else float(bound))


def _quoted(text: str) -> str:
    """A text of the challenge file as Python writes it, in letters that every editor shows as they are."""
    return json.dumps(text) if text.isascii() else ascii(text)


_BODIES: Mapping[str, Callable[[Task], Body]] = {
    "number": _number,
    "scores": _scores,
    "segmentation": _map,
    "embedding": _embedding,
    "points": _points,
    "table": _table,
}
