"""Writes cases of this challenge, to try it with: bright voxels in noise, and labels that say where they lie.

A lesion is a cube of 3×3×3 voxels of intensity 1000 with a brighter one in its middle; the two landmarks are single
voxels of intensity 2000 and 3000. The first case has no lesion.
"""

import argparse
import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE, SPACING, ORIGIN = (24, 24, 16), (1.0, 1.0, 2.0), (-12.0, -12.0, -16.0)
LESION, LANDMARKS = 1000, {"apex": 2000, "base": 3000}


def main() -> None:
    """Writes a folder in the layout that `proctor-admin import-dataset` reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", choices=["landmarks", "lesions"], required=True)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write_cases(given.out, given.task, given.cases, given.seed)


def write_cases(out: Path, task: str, cases: int, seed: int = 0) -> None:
    """Writes `cases` cases of a task below `out`; another seed makes other scans."""
    for number in range(cases):
        chance = np.random.default_rng([seed, number])
        voxels = chance.integers(0, 100, SHAPE, dtype=np.int16)
        points = _landmarks(chance, voxels) if task == "landmarks" else _lesions(chance, voxels, number % 4)
        place = Path(f"sub-{number:02}") / "ses-01"
        for kind, name, content in (
            ("preprocessed", "t1.nii.gz", _nifti(voxels)),
            ("labels", "points.json", json.dumps(points, indent=1).encode() + b"\n"),
        ):
            (out / kind / place).mkdir(parents=True, exist_ok=True)
            (out / kind / place / name).write_bytes(content)


def _landmarks(chance: np.random.Generator, voxels: NDArray[np.int16]) -> list[dict[str, Any]]:
    points = []
    for half, (name, intensity) in enumerate(LANDMARKS.items()):
        voxel = chance.integers((half * 12, 0, 0), (half * 12 + 12, 24, 16))
        voxels[tuple(voxel)] = intensity
        points.append({**_point(voxel), "name": name})
    return points


def _lesions(chance: np.random.Generator, voxels: NDArray[np.int16], count: int) -> list[dict[str, Any]]:
    points = []
    for slab in range(count):  # each in a slab of its own, so that no two touch
        voxel = chance.integers((slab * 6 + 1, 1, 1), (slab * 6 + 5, 23, 15))
        x, y, z = voxel
        voxels[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = LESION
        voxels[x, y, z] = LESION + chance.integers(200, 900)
        points.append(_point(voxel))
    return points


def _point(voxel: NDArray[np.int64]) -> dict[str, Any]:
    return {
        axis: start + step * int(index)
        for axis, start, step, index in zip("xyz", ORIGIN, SPACING, voxel, strict=True)
    }


def _nifti(voxels: NDArray[np.int16]) -> bytes:
    """A gzipped NIfTI-1 file of 16-bit integers."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *SHAPE, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, *SPACING, 0, 0, 0, 0)
    struct.pack_into("<ff", header, 108, 352, 1)
    header[123] = 2  # millimetres
    struct.pack_into("<hh", header, 252, 0, 1)
    rows = [[SPACING[row] if row == column else 0 for column in range(3)] + [ORIGIN[row]] for row in range(3)]
    struct.pack_into("<12f", header, 280, *(number for row in rows for number in row))
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + voxels.astype("<i2").tobytes(order="F"), mtime=0)


if __name__ == "__main__":
    main()
