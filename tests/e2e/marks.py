"""A program for the example challenges of points and tables, run inside a container: it looks for bright voxels.

It finds all lesions of challenges/detection and one that is none, with less confidence; of the landmarks it never gives
the base. Of challenges/survival it takes the volume for the risk.
"""

# Bare calls, as short programs make them:
# ruff: noqa: PTH123

import gzip
import json
import os
import struct
import sys


def read(path: str) -> tuple[list[tuple[float, ...]], tuple[int, ...], tuple[int, ...]]:
    """Rows of the affine, lengths, and voxels (int16, little-endian) of a NIfTI-1 file."""
    with gzip.open(path) as file:
        content = file.read()
    lengths = struct.unpack_from("<3h", content, 42)
    rows = [struct.unpack_from("<4f", content, 280 + 16 * row) for row in range(3)]
    return rows, lengths, struct.unpack_from(f"<{(len(content) - 352) // 2}h", content, 352)


def found(path: str, low: int, high: int) -> list[dict[str, float]]:
    """Places in mm of the voxels from `low` to `high`, with their intensities."""
    rows, (width, height, _), voxels = read(path)
    marks = []
    for number, voxel in enumerate(voxels):
        if low <= voxel <= high:
            place = number % width, number // width % height, number // (width * height), 1
            x, y, z = (sum(a * b for a, b in zip(row, place, strict=True)) for row in rows)
            marks.append({"x": x, "y": y, "z": z, "intensity": voxel})
    return marks


def lesions(path: str) -> object:
    marks = found(path, 1200, 1999)
    points = [{**place(mark), "confidence": mark["intensity"] / 2000} for mark in marks]
    return [*points, {"x": -12, "y": -12, "z": -16, "confidence": 0.1}]


def landmarks(path: str) -> object:
    return [{**place(mark), "name": "apex"} for mark in found(path, 2000, 2000)]


def place(mark: dict[str, float]) -> dict[str, float]:
    return {axis: mark[axis] for axis in "xyz"}


def outcome(path: str) -> object:
    volume = len(found(path, 1000, 1000)) * 0.125
    return {"risk": volume / 100, "volume": volume, "grade": "high" if volume >= 20 else "low"}


if __name__ == "__main__":
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    answer = {"lesions": lesions, "landmarks": landmarks, "outcome": outcome}[os.environ["PROCTOR_TASK"]]
    with open(given["--output"], "w") as file:
        json.dump(answer(given["--t1"]), file)
