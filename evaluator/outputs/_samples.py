"""Outputs of the built-in kinds that are poor or to be refused; organizers try scoring with them."""

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluator.outputs._labelmap import SegmentationOutput, decode, encode
from evaluator.outputs._result import LabelMap
from evaluator.spec import Samples

SHAPE, TYPE, RANGE, FINITE, SIZE = "wrong shape", "wrong type", "out of range", "not finite", "too large"

_NPY_HEADER = 128
_FAR = 1e9  # in millimetres and voxels: outside of every image
_HEADER = 352
_DIMENSIONS, _DATATYPE, _FLOAT32 = 40, 70, (16, 32)
"""Where NIfTI-1 has the number of voxels along each axis and the type, and that of float32 with its bits."""
_LONG = 32767


def _numbers(output: Any, canonical: bytes) -> Mapping[str, bytes]:
    found = {SHAPE: f"{canonical.decode()} {canonical.decode()}\n", TYPE: "yes\n", FINITE: "nan\n"}
    if output.maximum is not None:
        found[RANGE] = f"{output.maximum + abs(output.maximum) + 1!r}\n"
    elif output.minimum is not None:
        found[RANGE] = f"{output.minimum - abs(output.minimum) - 1!r}\n"
    return {name: text.encode() for name, text in found.items()}


def _scores(output: Any, canonical: bytes) -> Mapping[str, bytes]:
    row = canonical.decode().split()
    found = {SHAPE: row[:-1], TYPE: [*row[:-1], "?"], FINITE: [*row[:-1], "inf"]}
    return {name: " ".join(words).encode() for name, words in found.items()}


NUMBERS = Samples(_numbers)
SCORES = Samples(_scores)


def _embeddings(output: Any, canonical: bytes) -> Mapping[str, bytes]:
    value = np.frombuffer(canonical, "<f4", offset=_NPY_HEADER)
    return {
        SHAPE: _npy("<f4", (2, len(value)), np.stack([value, value]).tobytes()),
        TYPE: _npy("<i8", value.shape, value.astype("<i8").tobytes()),
        FINITE: _npy("<f4", value.shape, np.full(value.shape, np.nan, "<f4").tobytes()),
        SIZE: _npy("<f4", (output.max_width + 1,), b""),
    }


def _npy(descr: str, shape: tuple[int, ...], data: bytes) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


EMBEDDINGS = Samples(_embeddings)


def _maps(output: SegmentationOutput, canonical: bytes) -> Mapping[str, bytes]:
    value, plain = decode(output, canonical), gzip.decompress(canonical)
    floats, large = bytearray(plain[:_HEADER]), bytearray(plain[:_HEADER])
    struct.pack_into("<2h", floats, _DATATYPE, *_FLOAT32)
    struct.pack_into("<4h", large, _DIMENSIONS, 3, _LONG, _LONG, _LONG)
    voxels = np.full(value.array.size, np.nan, "<f4").tobytes()
    padded = np.pad(value.array, ((0, 1), (0, 0), (0, 0)))
    return {
        SHAPE: encode(output, LabelMap(padded, value.affine)),
        TYPE: plain[:_HEADER][::-1],
        RANGE: _with_foreign_label(output, value),
        FINITE: gzip.compress(bytes(floats) + voxels, 1, mtime=0),
        SIZE: gzip.compress(bytes(large), 1, mtime=0),
    }


def _with_foreign_label(output: SegmentationOutput, value: LabelMap) -> bytes:
    label = next(number for number in range(len(output.labels) + 1) if number not in output.labels)
    wider = output.model_copy(update={"labels": (*output.labels, label)})
    return encode(wider, _filled(value, label))


def _filled(value: LabelMap, label: int) -> LabelMap:
    return LabelMap(np.full(value.array.shape, label, np.uint32), value.affine)


def _random_labels(output: SegmentationOutput, value: LabelMap, stream: np.random.Generator) -> LabelMap:
    drawn = stream.choice(np.array(output.labels, np.uint32), value.array.shape)
    return LabelMap(drawn, value.affine)


MAPS = Samples(
    _maps,
    nothing=lambda output, value: _filled(value, 0),
    constant=lambda output, value: _filled(value, next(label for label in output.labels if label)),
    random=_random_labels,
)


def _points(output: Any, canonical: bytes) -> Mapping[str, bytes]:
    point: dict[str, Any] = {"x": 0.0, "y": 0.0, "z": 0.0}
    point |= {"confidence": 0.5} if output.confidence else {}
    point |= {"name": output.names[0]} if output.names else {}
    found: dict[str, Any] = {
        SHAPE: {"points": [point]},
        TYPE: [{**point, "x": "left"}],
        FINITE: [{**point, "x": float("nan")}],
        SIZE: [point] * (output.most + 1),
    }
    if output.confidence:
        found[RANGE] = [{**point, "confidence": 1.5}]
    elif output.margin is not None:
        found[RANGE] = [{**point, "x": _FAR}]
    return {name: json.dumps(content).encode() for name, content in found.items()}


POINTS = Samples(_points, nothing=lambda output, value: value[:0])


def _tables(output: Any, canonical: bytes) -> Mapping[str, bytes]:
    columns, valid = output.columns, json.loads(canonical)
    first = columns[0].name
    found: dict[str, Any] = {
        SHAPE: [valid],
        TYPE: {**valid, first: []},
        "unknown column": {**valid, f"not_{first}": 1},
        FINITE: {**valid, first: float("nan")},
    }
    bounded = next((column for column in columns if column.maximum is not None), None)
    if bounded is not None:
        beyond = bounded.maximum + abs(bounded.maximum) + 1
        found[RANGE] = {**valid, bounded.name: int(beyond) if bounded.type == "integer" else beyond}
    return {name: json.dumps(content).encode() for name, content in found.items()}


TABLES = Samples(_tables)
