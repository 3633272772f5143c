"""An honest program for all six tasks, run inside a container: the tests' data carry their answers in their voxels.

With `ANSWERS=constant` it is the weakest model that is still valid. On a track whose name begins with
"slowly" it takes its time, so that a test can interfere.
"""

# Bare calls, as short programs make them:
# ruff: noqa: PTH123

import gzip
import os
import struct
import sys
import time

ARGUMENTS = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
OUTPUT = ARGUMENTS.pop("--output")
CONSTANT = os.environ.get("ANSWERS") == "constant"
TASK = os.environ["PROCTOR_TASK"]
FIRST_LABEL = 1000  # a voxel of 1000 + n belongs to label n


def read(path: str) -> tuple[bytearray, tuple[int, ...]]:
    """Header and voxels (int16, little-endian) of a NIfTI-1 file."""
    with gzip.open(path) as file:
        content = file.read()
    count = (len(content) - 352) // 2
    return bytearray(content[:352]), struct.unpack_from(f"<{count}h", content, 352)


def mask(header: bytearray, voxels: tuple[int, ...]) -> bytes:
    struct.pack_into("<hh", header, 70, 2, 8)  # unsigned 8-bit integers
    labels = bytes(max(voxel - FIRST_LABEL, 0) for voxel in voxels)
    return gzip.compress(bytes(header) + (bytes(len(labels)) if CONSTANT else labels), 1)


def embedding(cohort: int) -> bytes:
    values = [0.5] * 3 if CONSTANT else [1.0 if one == cohort else -1.0 for one in range(3)]
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<3f", *values)
    )


def main() -> None:
    print("canarylog: read", *sorted(ARGUMENTS))
    header, voxels = read(next(iter(ARGUMENTS.values())))
    if os.environ["PROCTOR_TRACK"].startswith("slowly"):
        time.sleep(1.5)
    if OUTPUT.endswith(".npy"):
        answer = embedding(voxels[0])
    elif OUTPUT.endswith(".txt"):
        number = (50.0 if TASK == "task3" else 0.5) if CONSTANT else voxels[0] / 100
        answer = f"{number}\n".encode()
    else:
        answer = mask(header, voxels)
    with open(OUTPUT, "wb") as file:
        file.write(answer)


if __name__ == "__main__":
    main()
