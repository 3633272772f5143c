"""Points: a JSON list of landmarks or detections, in millimetres or voxels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics.points import MATERIAL
from evaluator.outputs._json import Reading, parse_json, read_json, sentence_of_label
from evaluator.outputs._number import text_of
from evaluator.outputs._result import InputUnreadable, InvalidOutput, NotCanonical
from evaluator.outputs._samples import POINTS
from evaluator.outputs._segmentation import input_header
from evaluator.spec import Canary, EachOnce, Files, Kind, Output
from evaluator.tables import text_of as read_text
from evaluator.verdicts import Check

POINT = np.dtype(
    [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("confidence", "<f8"), ("name", "<i4"), ("radius", "<f8")]
)
"""One point. name: its number among the task's, −1 without. radius: of a label, in mm; NaN where it has none."""

POSITION = 1e-3
CONFIDENCE = 1e-4
"""Largest differences, in the task's unit and of confidences, of two lists of points that are one answer."""

_BYTES = 400  # of a point, generously
_AXES = ("x", "y", "z")
_MOST_COMPARED = 3000  # points that are put into pairs; longer lists are compared in order

Points = NDArray[np.void]
_Name = Annotated[str, Field(min_length=1, max_length=100)]


class PointsOutput(Output):
    """A JSON list of points, `{"x": 1.5, "y": -2, "z": 30}` each, with `confidence` and `name` where the task has them.

    unit: mm of the world that the affine of a NIfTI image leads to, or voxel: indices of its array, 0 being the
    centre of the first. names: of landmarks, each at most once in an output; without names points are detections.
    confidence: whether each point has one, from 0 to 1. most: points in an output. margin: how many voxels beyond the
    edge of the image a point may lie; None: anywhere.
    """

    suffix: ClassVar[str] = ".json"

    kind: Literal["points"]
    unit: Literal["mm", "voxel"] = "mm"
    names: Annotated[tuple[_Name, ...], Field(max_length=1000), EachOnce] = ()
    confidence: bool = False
    most: Annotated[int, Field(gt=0, le=100_000)] = 1000
    margin: Annotated[float, Field(ge=0, le=1e6)] | None = None


def check(output: PointsOutput, path: Path, inputs: Mapping[str, Path]) -> tuple[Points, tuple[str, ...]]:
    """The points in the file at `path`; of the `inputs` the first one's header is read where the task has a `margin`.

    Raises:
        InvalidOutput: the first check that fails.
        InputUnreadable: the image that points should lie in cannot be read.
    """
    points = _points(output, read_json(path, output.suffix, 4096 + _BYTES * output.most))
    if output.margin is not None and inputs:
        _require_inside(output, points, inputs)
    return points, ()


def encode(output: PointsOutput, value: Points) -> bytes:
    """A JSON list in a fixed order: by name, falling confidence and place; the shortest text of each number."""
    keys = [value[axis] for axis in reversed(_AXES)]
    order = np.lexsort((*keys, -value["confidence"], value["name"]))
    return json.dumps([_told(output, point) for point in value[order]], separators=(",", ":")).encode()


def decode(output: PointsOutput, data: bytes) -> Points:
    """The points that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes.
    """
    try:
        points = _points(output, parse_json(text_of(data)))
    except InvalidOutput as error:
        raise NotCanonical(error.message) from None
    if encode(output, points) != data:
        raise NotCanonical("the points are not in their fixed order and form")
    return points


def _told(output: PointsOutput, point: np.void) -> dict[str, Any]:
    told: dict[str, Any] = {axis: float(point[axis]) for axis in _AXES}
    if output.confidence:
        told["confidence"] = float(point["confidence"])
    if output.names:
        told["name"] = output.names[point["name"]]
    return told


def _points(output: PointsOutput, content: object, *, label: bool = False) -> Points:
    """The points of a file; a `label` has no confidences, and may have radii."""
    if not isinstance(content, list):
        raise InvalidOutput(Check.FIELDS, "The output file must hold a list of points.")
    if len(content) > output.most:
        raise InvalidOutput(
            Check.COUNT, f"The output file holds more than {output.most} points.", f"found {len(content)}"
        )
    points = np.zeros(len(content), POINT)
    points["confidence"], points["name"], points["radius"] = 1, -1, np.nan
    for place, entry in enumerate(content, 1):
        _take(output, points[place - 1], Reading(entry, f"point {place}"), label)
    names = points["name"][points["name"] >= 0]
    if len(np.unique(names)) < len(names):
        raise InvalidOutput(Check.LABELS, "A name stands at more than one point of the output file.")
    return points


def _take(output: PointsOutput, point: np.void, entry: Reading, label: bool) -> None:
    """Writes one entry of a file into `point`."""
    confident = output.confidence and not label
    wanted = [*_AXES, *(["confidence"] if confident else []), *(["name"] if output.names else [])]
    entry.require(wanted, optional=["radius_mm"] if label else [])
    for axis in _AXES:
        point[axis] = entry.number(axis)
    if confident:
        point["confidence"] = entry.number("confidence", 0, 1)
    if output.names:
        point["name"] = entry.choice("name", output.names)
    if label and entry.has("radius_mm"):
        point["radius"] = entry.number("radius_mm", 0)


def _require_inside(output: PointsOutput, points: Points, inputs: Mapping[str, Path]) -> None:
    header = input_header(next(iter(inputs.values())))
    size = np.array([*header.shape, 1, 1, 1][:3])
    places = places_of(points)
    if output.unit == "mm":
        try:
            inverse = np.linalg.inv(header.affine)
        except np.linalg.LinAlgError:
            raise InputUnreadable("an input has an affine that flattens it") from None
        with np.errstate(over="ignore", invalid="ignore"):
            places = places @ inverse[:3, :3].T + inverse[:3, 3]
    edge = 0.5 + (output.margin or 0)
    outside = ~((places >= -edge) & (places <= size - 1 + edge)).all(axis=1)  # so that NaN, an overflow, is
    if outside.any():
        first = points[outside][0]
        detail = (
            f"found ({first['x']:g}, {first['y']:g}, {first['z']:g}) {output.unit}, {outside.sum()} in all"
        )
        raise InvalidOutput(Check.RANGE, "A point lies outside of the image.", detail)


def places_of(points: Points) -> NDArray[np.float64]:
    """Coordinates, shape (points, 3)."""
    return np.stack([points[axis] for axis in _AXES], axis=-1).reshape(-1, 3)


def _same(one: Points, other: Points) -> bool:
    """Whether the points of both lists can be put into pairs that are the same up to rounding."""
    if len(one) != len(other):
        return False
    if _near(one, other).all():
        return True
    if len(one) > _MOST_COMPARED:
        return False
    free = np.ones(len(other), bool)
    for point in one:
        (fitting,) = np.nonzero(free & _near(np.broadcast_to(point, other.shape), other))
        if not len(fitting):
            return False
        free[fitting[0]] = False
    return True


def _near(one: Points, other: Points) -> NDArray[np.bool_]:
    near = np.abs(places_of(one) - places_of(other)).max(axis=-1, initial=0) <= POSITION
    alike = np.abs(one["confidence"] - other["confidence"]) <= CONFIDENCE
    return np.asarray(near & alike & (one["name"] == other["name"]))


Truth = tuple[Points, tuple[float, float, float]]
"""The points of a label, and how many mm a step of 1 along each axis is."""


def _read_label(output: PointsOutput, path: Path) -> Truth:
    """A list as outputs are, without confidences; or an object with it as `points` and the image's `spacing_mm`.

    Raises:
        evaluator.outputs.TruthError: it is neither.
    """
    with sentence_of_label():
        content = parse_json(read_text(path))
        whole = Reading(content if isinstance(content, dict) else {"points": content}, "the label")
        whole.require(["points"], optional=["spacing_mm"] if output.unit == "voxel" else [])
        spacing = tuple(whole.numbers("spacing_mm", 3)) if whole.has("spacing_mm") else (1.0, 1.0, 1.0)
        if output.unit == "voxel" and not whole.has("spacing_mm"):
            raise InvalidOutput(
                Check.FIELDS, "The label lacks spacing_mm, the size of a voxel along each axis."
            )
        if not all(step > 0 for step in spacing):
            raise InvalidOutput(Check.RANGE, "A number of spacing_mm is not above 0.")
        points = _points(output, whole.get("points"), label=True)
    return points, spacing  # type: ignore[return-value]


def _contradicts(output: PointsOutput, truth: Truth, inputs: Mapping[str, Path]) -> str | None:
    """Where a label in voxels gives another spacing than the first input: all its millimetres would be wrong."""
    if output.unit == "mm" or not inputs:
        return None
    affine = input_header(next(iter(inputs.values()))).affine
    found = np.linalg.norm(affine[:3, :3].astype(np.float64), axis=0)
    if np.allclose(found, truth[1], rtol=1e-3, atol=0):
        return None
    said, real = (" × ".join(f"{step:.4g}" for step in steps) for steps in (truth[1], found))
    return f"its spacing_mm is {said}, and the image's is {real}; write the image's"


def _perfect(output: PointsOutput, truth: Truth) -> Points:
    return truth[0]


def _of_case(output: PointsOutput, truth: Truth, value: Points) -> tuple[Points, Points, tuple[float, ...]]:
    points, spacing = truth
    return _in_mm(value, spacing), _in_mm(points, spacing), spacing


def _of_dataset(
    output: PointsOutput,
    chosen: None,
    truths: Sequence[Truth],
    values: Sequence[Points | None],
    missing: object,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Per case the points of the label and of the output, in mm; no points where there is no valid output."""
    labels, found = np.empty(len(truths), object), np.empty(len(truths), object)
    for place, ((points, spacing), value) in enumerate(zip(truths, values, strict=True)):
        labels[place] = _in_mm(points, spacing)
        found[place] = _in_mm(np.zeros(0, POINT) if value is None else value, spacing)
    return labels, found


def _in_mm(points: Points, spacing: Sequence[float]) -> Points:
    scaled = points.copy()
    for axis, step in zip(_AXES, spacing, strict=True):
        scaled[axis] *= step
    return scaled


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    points = ", ".join(
        f'{{"x": {sum(voxels[start::8]) / 8}, "y": {start}, "z": {-start / 4}, "confidence": {start / 8}}}'
        for start in range(8)
    )
    return f"[{points}]\n".encode()


KIND = Kind(
    "points",
    PointsOutput,
    check,
    encode,
    decode,
    _same,
    Check.JSON,
    Canary(
        {"confidence": True},
        _known_answer,
        "4635a51c43fcc39f7450941393d5e5ca06b10d8c10dd99cca1b94def2ea53e25",
    ),
    Files(
        ".json",
        ("points.json", "label.json"),
        _read_label,
        _perfect,
        contradicts=_contradicts,
        case=_of_case,
        dataset=_of_dataset,
    ),
    "evaluator.scoring._files:score_files",
    material=(MATERIAL,),
    one_number=None,
    samples=POINTS,
)
