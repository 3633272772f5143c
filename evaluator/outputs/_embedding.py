"""Embeddings: a NumPy file with one vector of floats."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evaluator.metrics import DATASETS
from evaluator.outputs._file import read_small
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.outputs._samples import EMBEDDINGS
from evaluator.spec import Canary, Cohorts, Kind, Output
from evaluator.verdicts import Check

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 1 << 16
_WIDEST_ITEM = 16
_SLACK = 1 << 12
_MAX_AXES = 64
_MAX_LENGTH = (1 << 63) - 1
"""numpy's own bounds. Beyond them Python may refuse to even print a number that a header wrote in hexadecimal."""
_CANONICAL_HEADER = 128
_TRAILING = "The output file has bytes after its array; they are ignored."

TOLERANCE = 1e-4
"""Largest difference in any component of two vectors that are one answer, relative to the largest component."""


class EmbeddingOutput(Output):
    """A NumPy file with one float vector; every case of a run has the same width."""

    suffix: ClassVar[str] = ".npy"

    kind: Literal["embedding"]
    max_width: Annotated[int, Field(gt=0, le=2**24)] = 65536


def check(
    output: EmbeddingOutput, path: Path, inputs: Mapping[str, Path]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The vector in the file at `path` as float32; `inputs` are not looked at.

    Raises:
        InvalidOutput: the first check that fails.
    """
    limit = _MAX_HEADER + _WIDEST_ITEM * output.max_width + _SLACK
    content = read_small(path, output.suffix, limit)
    dtype, shape, start = _header(content)
    width = _width(shape)
    if width > output.max_width:
        message = f"The embedding has more than {output.max_width} numbers."
        raise InvalidOutput(Check.TOO_LARGE, message, f"found {width}")
    end = start + width * dtype.itemsize
    if len(content) < end:
        raise InvalidOutput(Check.NPY, "The output file is cut off: its header promises more numbers.")
    vector = _as_float32(np.frombuffer(content, dtype, width, start))
    return vector, (_TRAILING,) if len(content) > end else ()


def encode(output: EmbeddingOutput, value: NDArray[np.float32]) -> bytes:
    """A .npy file of version 1 with little-endian float32, the same bytes on every platform."""
    vector = np.ascontiguousarray(value, dtype="<f4")
    return _canonical_header(len(vector)) + vector.tobytes()


def decode(output: EmbeddingOutput, data: bytes) -> NDArray[np.float32]:
    """The vector that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes, too many numbers, or some are not finite.
    """
    width = (len(data) - _CANONICAL_HEADER) // 4
    if not 1 <= width <= output.max_width or len(data) != _CANONICAL_HEADER + 4 * width:
        raise NotCanonical("not an embedding of an allowed width")
    if data[:_CANONICAL_HEADER] != _canonical_header(width):
        raise NotCanonical("not the header of a canonical embedding")
    vector = np.frombuffer(data, "<f4", width, _CANONICAL_HEADER).astype(np.float32)
    if not np.isfinite(vector).all():
        raise NotCanonical("the embedding is not finite")
    return vector


def _canonical_header(width: int) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({width},), }}"
    length = _CANONICAL_HEADER - len(_MAGIC) - 4
    return _MAGIC + b"\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n"


def _not_npy(detail: str) -> InvalidOutput:
    return InvalidOutput(Check.NPY, "The output file is not a NumPy array file (.npy).", detail)


def _header(content: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Data type, shape and where the data start, without touching the data."""
    if not content.startswith(_MAGIC):
        raise _not_npy("it does not start as one; pickles and .npz archives are not read")
    version, size = content[6:7], 2
    if version in (b"\x02", b"\x03"):
        size = 4
    elif version != b"\x01":
        raise _not_npy("unknown version")
    length = int.from_bytes(content[8 : 8 + size], "little")
    start = 8 + size + length
    if length > _MAX_HEADER or start > len(content):
        raise _not_npy("its header is cut off or far too long")
    encoding = "utf-8" if version == b"\x03" else "latin-1"
    return *_fields(content[8 + size : start], encoding), start


def _fields(header: bytes, encoding: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    try:
        # Python 2 wrote lengths as 10L; numpy reads those too.
        fields = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", header.decode(encoding).strip()))
        descr, shape = fields["descr"], fields["shape"]
        sound = set(fields) == {"descr", "fortran_order", "shape"} and isinstance(
            fields["fortran_order"], bool
        )
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError):
        raise _not_npy("its header cannot be parsed") from None
    if not sound or not isinstance(shape, tuple) or len(shape) > _MAX_AXES:
        raise _not_npy("its header is not that of an array")
    if not all(type(n) is int and 0 <= n <= _MAX_LENGTH for n in shape):
        raise _not_npy("its header has a length that no array has")
    return _dtype(descr), shape


def _dtype(descr: object) -> np.dtype[Any]:
    """The data type of an array of floats; anything else is refused by its name, before numpy parses it."""
    if isinstance(descr, str) and re.fullmatch(r"[<>|=]?O\d*", descr):
        raise InvalidOutput(Check.NPY, "The output file holds Python objects (a pickle), which are not read.")
    if not isinstance(descr, str) or not re.fullmatch(r"[<>=]?f(2|4|8|16)", descr):
        named = descr[:40] if isinstance(descr, str) else "fields or another structure"
        message = "The embedding is not made of floats."
        raise InvalidOutput(Check.FLOATING_DTYPE, message, f"found {named}")
    try:
        return np.dtype(descr)
    except TypeError:
        raise _not_npy("this platform has no such float") from None


def _width(shape: tuple[int, ...]) -> int:
    squeezed = [length for length in shape if length != 1]
    if len(squeezed) != 1 or squeezed[0] == 0:
        message = "The embedding must be one vector of at least two numbers (a width of 1 is a scalar)."
        raise InvalidOutput(Check.VECTOR, message, f"found the shape {shape}")
    return squeezed[0]


def _as_float32(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        result = vector.astype(np.float32)
    if not np.isfinite(result).all():
        wrong = np.flatnonzero(~np.isfinite(result))
        detail = f"found {vector[wrong[0]]} at position {wrong[0]}, {len(wrong)} of {len(result)} in all"
        message = "The embedding has values that are not finite as float32."
        raise InvalidOutput(Check.FINITE, message, detail)
    return result


def _same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    if one.shape != other.shape:
        return False
    a, b = one.astype(np.float64), other.astype(np.float64)
    return bool(np.abs(a - b).max() <= TOLERANCE * float(np.abs([a, b]).max()))


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    import struct

    values = [sum(voxels[start::16]) / 8 for start in range(16)]
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)},), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack("<16f", *values)


KIND = Kind(
    "embedding",
    EmbeddingOutput,
    check,
    encode,
    decode,
    _same,
    Check.NPY,
    Canary({}, _known_answer, "717c77d5f299e7f130b12d5e553bd9eff186b954a27106d2c4c5ae7ae209d056"),
    Cohorts(),
    "evaluator.scoring._probe:score_probe",
    material=(DATASETS,),
    one_number=False,
    probed=True,
    samples=EMBEDDINGS,
)
