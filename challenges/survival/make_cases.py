"""Writes cases of this challenge, to try it with: a bright tumour in noise, and labels of what became of the patient.

The larger the tumour (its voxels have an intensity of 1000), the sooner the event, up to chance; a third of the
patients left the study before it.
"""

import argparse
import gzip
import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE, VOXEL_ML = 16, 0.125  # voxels of 5 mm
HIGH_ML = 20.0  # volume from which on a tumour is of high grade


def main() -> None:
    """Writes a folder in the layout that `proctor-admin import-dataset` reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write_cases(given.out, given.cases, given.seed)


def write_cases(out: Path, cases: int, seed: int = 0) -> None:
    """Writes `cases` cases below `out`; another seed makes other scans."""
    for number in range(cases):
        chance = np.random.default_rng([seed, number])
        voxels = chance.integers(0, 100, (SIDE,) * 3, dtype=np.int16)
        size = 3 + number % 6
        voxels[2 : 2 + size, 2 : 2 + size, 2 : 2 + size] = 1000
        volume = size**3 * VOXEL_ML
        label = {
            "months": round(float(60 / volume**0.5 + chance.uniform(0, 6)), 1),
            "died": number % 3 > 0,
            "volume": volume,
            "grade": "high" if volume >= HIGH_ML else "low",
        }
        place = Path(f"sub-{number:02}") / "ses-01"
        for kind, name, content in (
            ("preprocessed", "t1.nii.gz", _nifti(voxels)),
            ("labels", "table.json", json.dumps(label, indent=1).encode() + b"\n"),
        ):
            (out / kind / place).mkdir(parents=True, exist_ok=True)
            (out / kind / place / name).write_bytes(content)


def _nifti(voxels: NDArray[np.int16]) -> bytes:
    """A gzipped NIfTI-1 file of 16-bit integers and voxels of 5 mm."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 5, 5, 5, 0, 0, 0, 0)
    struct.pack_into("<ff", header, 108, 352, 1)
    header[123] = 2  # millimetres
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 5, 0)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + voxels.astype("<i2").tobytes(order="F"), mtime=0)


if __name__ == "__main__":
    main()
