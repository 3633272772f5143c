"""What happens to files on their way: seeded damage to tables, images and JSON."""

import gzip
import json
import random
from typing import Any

import numpy as np

CELLS = (
    "", " ", "n/a", "nan", "inf", "-1", "0", "0.5", "2", "1e999", "1e-320", "89+", "18-38", "1,5", "1_0", "0x1", "١",
    "café",
    '"', '""', "a\0b", "\ufeff1", "x" * 200_000, "1" * 5000, "\u202e", "=1+1", "-0.0", "1e308", "NaN", "None", "true",
)  # fmt: skip
"""Cells that people and programs write."""


def _encodings(chance: random.Random, text: str) -> bytes:
    return chance.choice(
        [
            text.replace("a", "é", 1).encode("latin-1", "replace"),
            text.encode("utf-16"),
            text.encode("utf-16-le"),
            text.encode("utf-8-sig"),
            text.encode() + b"\xff",
            text.replace("\n", "\r\n").encode(),
            text.replace("\n", "\r").encode(),
            text.replace(",", ";").encode(),
            text.replace(",", "\t").encode(),
            text.encode()[: chance.randrange(len(text))],
            b"",
            bytes(chance.randrange(256) for _ in range(60)),
        ]
    )


def _of_rows(chance: random.Random, text: str) -> bytes:
    rows = [line.split(",") for line in text.splitlines()]
    row = chance.randrange(len(rows))
    column = chance.randrange(len(rows[row])) if rows[row] else 0
    what = chance.randrange(7)
    if what == 0:
        rows[row] = rows[row][:-1]
    elif what == 1:
        rows[row] = [*rows[row], chance.choice(CELLS)]
    elif what == 2:
        rows.insert(row, list(rows[chance.randrange(len(rows))]))
    elif what == 3:
        del rows[row]
    elif what == 4:
        rows = [[cell for place, cell in enumerate(one) if place != column] for one in rows]
    elif what == 5:
        rows = [
            [*one[:column], chance.choice(CELLS), *one[column + 1 :]] if n else one
            for n, one in enumerate(rows)
        ]
    elif rows[row]:
        rows[row][column] = chance.choice(CELLS)
    return ("\n".join(",".join(one) for one in rows) + "\n").encode("utf-8", "surrogatepass")


def table(chance: random.Random, content: bytes) -> bytes:
    """A damaged CSV file: an encoding, a delimiter, a row, a column or a cell."""
    text = content.decode()
    return _encodings(chance, text) if chance.random() < 0.3 else _of_rows(chance, text)


_FIELDS = {  # offset, type and values of header fields that decide something
    "dim": (40, "<i2", (-1, 0, 1, 2, 4, 5, 8, 32767)), "dim1": (42, "<i2", (-5, 0, 1, 7, 32767)),
    "dim4": (48, "<i2", (0, 2)),
    "datatype": (70, "<i2", (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 999)),
    "bitpix": (72, "<i2", (0, 1, 8, 16, 64)), "pixdim1": (80, "<f4", (0, -1, np.nan, np.inf, 1e-9, 1e30, 2000)),
    "offset": (108, "<f4", (0, 1, 348, 351, 353, 400, np.nan, 1e9)),
    "slope": (112, "<f4", (0, 1e-5, 0.5, 0.9882, 2, -1, np.nan, np.inf, 3e38)),
    "inter": (116, "<f4", (0, 1e-5, 1, -1, np.nan, 3e38)), "units": (123, "u1", (0, 1, 3, 10, 11, 255)),
    "qform": (252, "<i2", (0, 1, 99)), "sform": (254, "<i2", (0, 1, 99)),
    "quatern": (256, "<f4", (0, 0.70710678, 0.70711, 1, 1.0000003, 1.1, np.nan)),
    "srow": (280, "<f4", (0, -2, 1, 2.0005, np.nan, np.inf, 1e30)), "srow5": (300, "<f4", (0, -2)),
    "magic": (344, "u1", (0, 110)),
}  # fmt: skip


def _header(chance: random.Random, plain: bytearray) -> None:
    offset, kind, values = _FIELDS[chance.choice(sorted(_FIELDS))]
    raw = np.array(chance.choice(values)).astype(kind).tobytes()
    plain[offset : offset + len(raw)] = raw


def image(chance: random.Random, content: bytes) -> bytes:
    """A damaged gzipped NIfTI image: its header, its voxels, its packing, or all of it."""
    plain = bytearray(gzip.decompress(content))
    what = chance.randrange(8)
    if what < 4:
        for _ in range(chance.choice((1, 1, 2, 4))):
            _header(chance, plain)
    elif what == 4:
        for _ in range(chance.choice((1, 20))):
            plain[chance.randrange(352, len(plain))] = chance.randrange(256)
    elif what == 5:
        start = chance.randrange(348)
        plain[start : start + 8] = bytes(chance.randrange(256) for _ in range(8))
    elif what == 6:
        plain = plain[: chance.randrange(len(plain))]
    packed = gzip.compress(bytes(plain), 1)
    how = chance.randrange(10)
    if how == 0:
        return packed[: chance.randrange(len(packed))]
    if how == 1:
        return packed + b"\0" * chance.choice((1, 5000))
    if how == 2:
        return chance.choice([bytes(plain), b"", gzip.compress(packed), b"PK\3\4" + packed])
    return packed


def answer(chance: random.Random, content: bytes, kind: str) -> bytes:
    """A damaged output file of a kind of output."""
    if kind == "segmentation":
        return image(chance, content)
    if kind in ("number", "scores") and chance.random() < 0.7:
        return chance.choice(CELLS).encode("utf-8", "surrogatepass")
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3))):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged[: chance.randrange(len(damaged) + 1)] if chance.random() < 0.3 else damaged)


_VALUES: tuple[Any, ...] = (
    None,
    "x",
    -1,
    0,
    1e308,
    10**400,
    [],
    {},
    [[]],
    True,
    "é" * 50,
    "1.5",
    [None] * 3,
    [1e308] * 3,
)


def document(chance: random.Random, content: bytes) -> bytes:
    """A damaged JSON file: a value, a key, or its text."""
    if chance.random() < 0.2:
        return _encodings(chance, content.decode())
    found = json.loads(content)
    place = found
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(min(len(place), 5)))
        if not keys:
            break
        key = chance.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
            place = inner
            continue
        if chance.random() < 0.2:
            del place[key]
        else:
            place[key] = chance.choice(_VALUES)
        break
    return json.dumps(found).encode()
