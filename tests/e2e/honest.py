"""An honest program for all six tasks, run inside a container: the tests' data carry their answers in their voxels.

With `ANSWERS=constant` it is the weakest model that is still valid, with `ANSWERS=contrary` it says the opposite of a
probability. On a track whose name begins with
"slowly" it takes its time, so that a test can interfere. With `--invoke` it serves several cases; with
`ANSWERS=drifting` their numbers are then one higher than alone.
"""

# Bare calls, as short programs make them:
# ruff: noqa: PTH123

import gzip
import json
import os
import struct
import sys
import time

CONSTANT = os.environ.get("ANSWERS") == "constant"
CONTRARY = os.environ.get("ANSWERS") == "contrary"
DRIFT = 1.0 if os.environ.get("ANSWERS") == "drifting" and sys.argv[1:] == ["--invoke"] else 0.0
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
    values = [0.5] * 3 if CONSTANT else [30.0 if one == cohort else -30.0 for one in range(3)]
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<3f", *values)
    )


def main(words: list[str]) -> None:
    arguments = dict(zip(words[::2], words[1::2], strict=True))
    output = arguments.pop("--output")
    print("canarylog: read", *sorted(arguments), file=sys.stderr)
    header, voxels = read(next(iter(arguments.values())))
    if os.environ["PROCTOR_TRACK"].startswith("slowly"):
        time.sleep(1.5)
    if output.endswith(".npy"):
        answer = embedding(voxels[0])
    elif output.endswith(".txt"):
        number = (50.0 if TASK == "task3" else 0.5) if CONSTANT else voxels[0] / 100 + DRIFT
        answer = f"{1 - number if CONTRARY else number}\n".encode()
    else:
        answer = mask(header, voxels)
    with open(output, "wb") as file:
        file.write(answer)


def serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        main(asked["arguments"])
        print(json.dumps({"case": asked["case"], "ok": True}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--invoke"]:
        serve()
    else:
        main(sys.argv[1:])
