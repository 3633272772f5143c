"""Output files that attack their parser, by kind: text, NIfTI and NumPy files, written byte by byte."""

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from tests.hostile.table import VALID, Row

SHAPE = (6, 7, 8)
VOXELS = prod(SHAPE)
SCORES = "scores"  # stands for a task with three classes; the other tasks are FOMO26's
_FIELDS = {
    "size": (0, "i"), "dim": (40, "8h"), "type": (70, "h"), "bits": (72, "h"), "pixdim": (76, "8f"),
    "offset": (108, "f"), "slope": (112, "f"), "intercept": (116, "f"), "qform": (252, "h"), "sform": (254, "h"),
    "quaternion": (256, "6f"), "rows": (280, "12f"), "magic": (344, "4s"), "extension": (348, "4s"),
}  # fmt: skip
_USUAL: dict[str, Any] = {
    "size": 348, "dim": (3, *SHAPE, 1, 1, 1, 1), "type": 2, "bits": 8, "pixdim": (1,) * 8, "offset": 352.0,
    "slope": 1.0, "intercept": 0.0, "sform": 1, "rows": (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0), "magic": b"n+1\0",
}  # fmt: skip
_GZIP_HEADER = gzip.compress(b"", mtime=0)[:10]
_EXTENSION, _NAN, _INF = {"extension": b"\1\0\0\0"}, float("nan"), float("inf")


@dataclass(frozen=True)
class Output(Row):
    """`make` gives the file; `words` are in the sentence that the participant reads."""

    task: str
    words: str
    make: Callable[[], bytes]


def nifti(voxels: bytes = bytes(VOXELS), *, order: str = "<", between: bytes = b"", **changes: Any) -> bytes:
    """An unpacked NIfTI-1 label map whose header says what `changes` say; `between` lies before the voxels."""
    header = bytearray(352)
    for name, value in (_USUAL | changes).items():
        offset, form = _FIELDS[name]
        struct.pack_into(order + form, header, offset, *(value if isinstance(value, tuple) else (value,)))
    return bytes(header) + between + voxels


def nifti_2(**changes: int) -> bytes:
    """An unpacked NIfTI-2 label map of zeros; `changes` are `rank`, `first` (the first length) and `offset`."""
    header = bytearray(544)
    struct.pack_into("<i8shh", header, 0, 540, b"n+2\0\r\n\x1a\n", 2, 8)
    lengths = (changes.get("first", SHAPE[0]), *SHAPE[1:], 1, 1, 1, 1)
    struct.pack_into("<8q8d", header, 16, changes.get("rank", 3), *lengths, *[1.0] * 8)
    struct.pack_into("<qdd", header, 168, changes.get("offset", 544), 1.0, 0.0)
    struct.pack_into("<ii", header, 344, 0, 1)
    struct.pack_into("<12d", header, 400, *_USUAL["rows"])
    return bytes(header) + bytes(VOXELS)


def npy(header: str, data: bytes = bytes(16), *, version: int = 1, length: int | None = None) -> bytes:
    """A NumPy file with this header, whose stated `length` need not be true."""
    text = header.encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def array(descr: str = "'<f4'", shape: str = "(4,)", order: str = "False", more: str = "") -> str:
    """The header of a NumPy file."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {more}}}"


def floats(form: str, *values: float) -> bytes:
    """One voxel map of floats: `values` first, zeros after them."""
    return struct.pack(f"<{VOXELS}{form}", *values, *[0.0] * (VOXELS - len(values)))


def _zeros(mebibytes: int) -> bytes:
    return gzip.compress(bytes(1 << 20)) * mebibytes


class _Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("open('/tmp/proctor-hostile-exploited', 'w')",)


def _exploit() -> bytes:
    return pickle.dumps(_Exploit())


def _zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", npy(array()))
    return out.getvalue()


def _named(content: bytes) -> bytes:
    """A gzip file with every optional field of its header, the name a path."""
    plain = gzip.compress(content)
    return (
        plain[:3]
        + b"\x0c"
        + plain[4:10]
        + struct.pack("<H", 4)
        + b"XX\0\0"
        + b"../../etc/passwd\0"
        + plain[10:]
    )


def packed(voxels: bytes = bytes(VOXELS), **changes: Any) -> Callable[[], bytes]:
    """What makes the gzipped file of `nifti`."""
    return lambda: gzip.compress(nifti(voxels, **changes))


_WORDS = {
    VALID: "valid", "affine": "affine", "decimal_float": "not a decimal", "encoding": "not UTF-8",
    "finite": "not finite", "floating_dtype": "not made of floats", "gzip": "not a sound gzip",
    "header": "header is not valid",
    "json": "not valid JSON", "count": "more than 3 points",
    "integer_values": "not integers", "labels": "labels other than",
    "npy": "not a NumPy array", "one_per_class": "exactly 3 values", "range": "between 0 and 1",
    "shape": "differs from", "too_large": "larger than", "vector": "one vector",
}  # fmt: skip
"""What the sentence says where a row does not say it itself."""


def rows_of(task: str, defence: str, *cases: tuple[Any, ...]) -> list[Output]:
    """Rows from (name, failed check or valid, what makes the file, words where they are others than usual)."""
    found = []
    for name, check, make, *words in cases:
        expected = check if check == VALID else f"output_invalid:{check}"
        found.append(Output(name, defence, expected, task, words[0] if words else _WORDS[check], make))
    return found


_TEXT = rows_of(
    "task5",
    "exactly one decimal number of ASCII digits, in 64 KiB of UTF-8",
    ("text of nothing", "one_value", lambda: b"", "no value"),
    ("text of white space only", "one_value", lambda: b" \n\t" * 20_000, "no value"),
    ("text with a flood of white space", "too_large", lambda: b" " * (1 << 20) + b"0.5"),
    ("number of 100 million digits", "too_large", lambda: b"0." + b"1" * 10**8),
    ("number of 60,000 digits", "finite", lambda: b"9" * 60_000, "too large for a float"),
    ("60,000 digits and a letter", "decimal_float", lambda: b"1" * 60_000 + b"x"),
    ("exponent of 60,000 digits", "finite", lambda: b"1e" + b"9" * 60_000, "too large"),
    ("number beyond every float", "finite", lambda: b"1e400", "too large for a float"),
    ("not a number", "finite", lambda: b"-NaN"),
    ("infinity", "finite", lambda: b"Infinity"),
    ("digits of another script", "decimal_float", lambda: "٠.٥".encode()),
    ("full-width digits", "decimal_float", lambda: "０.５".encode()),
    ("underscores in a number", "decimal_float", lambda: b"0_0.5"),
    ("hexadecimal number", "decimal_float", lambda: b"0x1p-1"),
    ("decimal comma", "decimal_float", lambda: b"0,5"),
    ("byte order mark", "encoding", lambda: b"\xef\xbb\xbf0.5", "byte order mark"),
    ("UTF-16", "encoding", lambda: "0.5".encode("utf-16")),
    ("NUL bytes", "encoding", lambda: b"0.5\0\0\0", "NUL"),
    ("overlong UTF-8", "encoding", lambda: b"\xc0\xb0.5"),
    ("two numbers", "one_value", lambda: b"0.5 0.5", "more than one value"),
    ("terminal escapes", "decimal_float", lambda: b"\x1b[2J\x1b]0;x\x07"),
    ("template and markup", "decimal_float", lambda: b"{{7*7}}<script>alert(1)</script>"),
    ("just out of range", "range", lambda: b"1.000001"),
    ("out of range by rounding", VALID, lambda: b"1.0000000000000002"),
    ("below zero by rounding", VALID, lambda: b"-1e-323"),
    ("negative zero", VALID, lambda: b"-0"),
    ("number smaller than every float", VALID, lambda: b"1e-99999"),
    ("gzip that says it is text", "encoding", lambda: gzip.compress(b"0.5")),
)  # fmt: skip

_SCORE_ROWS = rows_of(
    SCORES,
    "one decimal number per class, in 1 MiB",
    ("scores of too many classes", "one_per_class", lambda: b"0.1 " * 4),
    ("scores by the hundred thousand", "one_per_class", lambda: b"0 " * 200_000),
    ("scores in more than 1 MiB", "too_large", lambda: b"0.1 0.2 0.7" + b" " * (1 << 20)),
    ("score that is not finite", "finite", lambda: b"0.1 nan 0.3"),
    ("scores with another separator", "one_per_class", lambda: b"0.1,0.2,0.7"),
    ("scores parted by a line separator", VALID, lambda: "0.1\u20280.2\u20280.7".encode()),
)  # fmt: skip

_HEADERS = rows_of(
    "task4",
    "the header is believed in nothing",
    ("more voxels than memory", "shape", packed(dim=(3, 32767, 32767, 32767, 1, 1, 1, 1))),
    ("more dimensions than there are", "header", packed(dim=(9, *[2] * 7))),
    ("no dimension at all", "header", packed(dim=(0, *[1] * 7))),
    ("negative length", "header", packed(dim=(3, -6, 7, 8, 1, 1, 1, 1))),
    ("length zero", "header", packed(dim=(3, 0, 7, 8, 1, 1, 1, 1))),
    ("seven dimensions", "dimensions", packed(dim=(7, *SHAPE, 1, 1, 1, 1)), "three dimensions"),
    ("axes exchanged", "shape", packed(dim=(3, 8, 7, 6, 1, 1, 1, 1))),
    ("unknown data type", "header", packed(type=9999)),
    ("colours", "integer_values", packed(type=128, bits=24), "colours"),
    ("complex numbers", "integer_values", packed(type=32, bits=64), "complex"),
    ("bits that do not fit the type", VALID, packed(bits=-1)),
    ("data at a negative place", "header", packed(offset=-352.0)),
    ("data inside the header", "header", packed(offset=4.0)),
    ("data a terabyte away", "header", packed(offset=1e12)),
    ("data at no number", "header", packed(offset=_NAN)),
    ("data at infinity", "header", packed(offset=_INF)),
    ("data in another file", "header", packed(magic=b"ni1\0")),
    ("no magic", "header", packed(magic=b"MZ\x90\0")),
    ("slope that is no number", VALID, packed(slope=_NAN)),
    ("infinite intercept", "header", packed(intercept=_INF)),
    ("slope that reaches infinity", "finite", packed(floats("d", 1e300), type=64, slope=3e38)),
    ("slope that makes fractions", "integer_values", packed(bytes([1] * VOXELS), slope=0.5)),
    ("affine that is no number", "affine", packed(rows=(_NAN,) * 12)),
    ("affine of zeros", "affine", packed(rows=(0,) * 12)),
    ("rotation that is none", "affine", packed(sform=0, qform=1, quaternion=(9,) * 6)),
    ("16 MB of extensions", "header", packed(offset=16777216.0, **_EXTENSION, between=bytes(8)), "fewer voxels"),
    ("extension of a negative size", VALID, packed(offset=368.0, **_EXTENSION, between=struct.pack("<iiq", -16, 4, 0))),
    ("big-endian", VALID, packed(order=">")),
    ("NIfTI-2", VALID, lambda: gzip.compress(nifti_2())),
    ("NIfTI-2 whose size overflows", "shape", lambda: gzip.compress(nifti_2(first=2**62))),
    ("NIfTI-2 with data beyond every file", "header", lambda: gzip.compress(nifti_2(offset=2**62))),
    ("NIfTI-2 of a million dimensions", "header", lambda: gzip.compress(nifti_2(rank=10**6))),
)  # fmt: skip

_STREAMS = rows_of(
    "task4",
    "unpacked piece by piece, to a bound and to the last checksum",
    ("gzip bomb behind the voxels", "too_large", lambda: gzip.compress(nifti()) + _zeros(4), "long after"),
    ("gzip bomb before the voxels", "header", lambda: _zeros(16)),
    ("100,001 empty gzip members", "gzip", lambda: gzip.compress(nifti()) + gzip.compress(b"") * 100_001),
    ("gzip of a gzip", "header", lambda: gzip.compress(gzip.compress(nifti()))),
    ("gzip members of one byte", VALID, lambda: b"".join(gzip.compress(bytes([byte])) for byte in nifti())),
    ("gzip with a path as its name", VALID, lambda: _named(nifti())),
    ("bytes behind the gzip", VALID, lambda: gzip.compress(nifti()) + b"PK\x03\x04" + bytes(999)),
    ("bytes behind the voxels", VALID, packed(bytes(VOXELS + 1000))),
    ("wrong checksum", "gzip", lambda: gzip.compress(nifti())[:-8] + bytes(8)),
    ("wrong length in the trailer", "gzip", lambda: gzip.compress(nifti())[:-4] + b"\xff" * 4),
    ("cut in the gzip header", "gzip", lambda: gzip.compress(nifti())[:5]),
    ("cut in the NIfTI header", "gzip", lambda: gzip.compress(nifti())[:40]),
    ("cut in the trailer", "gzip", lambda: gzip.compress(nifti())[:-3]),
    ("header and nothing else", "header", packed(b""), "fewer voxels"),
    ("one voxel too few", "header", packed(bytes(VOXELS - 1)), "fewer voxels"),
    ("no gzip at all", "gzip", nifti),
    ("empty file as an image", "gzip", lambda: b""),
    ("deflate that points before its start", "gzip", lambda: _GZIP_HEADER + b"\x63\x00\x42\x00" + bytes(8)),
    ("zip file as an image", "gzip", _zipped),
    ("noise larger than any label map", "too_large", lambda: b"\x1f\x8b" + b"\x99" * (32 << 20)),
)  # fmt: skip

_VOXELS = rows_of(
    "task4",
    "every voxel is looked at",
    ("voxel that is no number", "finite", packed(floats("f", _NAN), type=16, bits=32)),
    ("infinite voxel", "finite", packed(floats("d", -_INF), type=64, bits=64)),
    ("fraction among labels", "integer_values", packed(floats("f", 0.5), type=16, bits=32)),
    ("nearly a label", "integer_values", packed(floats("d", 1.0002), type=64, bits=64)),
    ("a label but for rounding", VALID, packed(floats("d", 1.0000000000000002), type=64, bits=64)),
    ("last voxel is an unknown label", "labels", packed(bytes(VOXELS - 1) + b"\3")),
    ("label 256 in two bytes", "labels", packed(struct.pack("<h", 256) + bytes(2 * VOXELS - 2), type=4, bits=16)),
    ("negative label", "labels", packed(b"\xff" + bytes(VOXELS - 1), type=256)),
    ("label of 64 bits", "labels", packed(b"\xff" * 8 + bytes(8 * VOXELS - 8), type=1280, bits=64)),
    ("negative zero and denormals", VALID, packed(floats("d", -0.0, 5e-324), type=64, bits=64)),
)  # fmt: skip

_NUMPY = rows_of(
    "task6",
    "NumPy headers are read without NumPy, and nothing in them runs",
    ("pickle as an array", "npy", _exploit),
    ("pickle in an array of objects", "npy", lambda: npy(array("'|O'", "(1,)"), _exploit()), "Python objects"),
    ("zip of arrays", "npy", _zipped),
    ("code in the header", "npy", lambda: npy("__import__('os').system('true')")),
    ("code in the shape", "npy", lambda: npy(array(shape="(().__class__,)"))),
    ("header nested 30,000 deep", "npy", lambda: npy("[" * 30_000 + "]" * 30_000)),
    ("header of 30,000 minus signs", "npy", lambda: npy(array(shape="(" + "-" * 30_000 + "4,)"))),
    ("shape that is a huge sum", "npy", lambda: npy(array(shape="(" + "1+" * 15_000 + "1j,)"))),
    ("length of 60,000 digits", "npy", lambda: npy(array(shape=f"({'9' * 60_000},)"))),
    ("header longer than the file", "npy", lambda: npy(array(), length=65_000)),
    ("header of 4 GiB", "npy", lambda: npy(array(), version=2, length=2**32 - 1)),
    ("version that does not exist", "npy", lambda: npy(array(), version=9)),
    ("version 3 with bad UTF-8", "npy", lambda: npy(array(), version=3).replace(b"descr", b"des\xff\xff")),
    ("more numbers than there are", "npy", lambda: npy(array(shape="(5000,)")), "cut off"),
    ("shape of two to the 62nd", "too_large", lambda: npy(array(shape=f"({2**62},)")), "more than 65536"),
    ("shape whose product overflows", "vector", lambda: npy(array(shape=f"({2**32}, {2**32})"))),
    ("negative shape", "npy", lambda: npy(array(shape="(-4,)"))),
    ("shape of truths", "npy", lambda: npy(array(shape="(True, 4)"))),
    ("shape without end", "npy", lambda: npy(array(shape="(" + "1," * 20_000 + "4)"))),
    ("shape that is a list", "npy", lambda: npy(array(shape="[4]"))),
    ("shape of nothing", "vector", lambda: npy(array(shape="()"))),
    ("vector of width 0", "vector", lambda: npy(array(shape="(0,)"))),
    ("vector of width 1", "vector", lambda: npy(array(shape="(1,)"))),
    ("matrix", "vector", lambda: npy(array(shape="(2, 2)"))),
    ("Fortran order", VALID, lambda: npy(array(order="True"))),
    ("order that is text", "npy", lambda: npy(array(order="'False'"))),
    ("key too many", "npy", lambda: npy(array(more="'x': 1"))),
    ("structured type", "floating_dtype", lambda: npy(array("[('a', '<f4'), ('b', '|O')]"))),
    ("type of a gigabyte", "floating_dtype", lambda: npy(array("'|V1073741824'"))),
    ("type with a comma", "floating_dtype", lambda: npy(array("'<f4,<f4'"))),
    ("times", "floating_dtype", lambda: npy(array("'<M8[ns]'"))),
    ("whole numbers", "floating_dtype", lambda: npy(array("'<i4'"))),
    ("complex vector", "floating_dtype", lambda: npy(array("'<c8'"))),
    ("vector with no number", "finite", lambda: npy(array(), struct.pack("<4f", 1, _NAN, 3, 4))),
    ("vector beyond 32 bits", "finite", lambda: npy(array("'<f8'"), struct.pack("<4d", 1, 1e39, 3, 4))),
    ("big-endian vector", VALID, lambda: npy(array("'>f4'"))),
    ("bytes behind the vector", VALID, lambda: npy(array(), bytes(999))),
    ("vector of 16 MiB", "too_large", lambda: npy(array(shape="(4194304,)"), bytes(16 << 20))),
    ("empty NumPy file", "npy", lambda: b""),
    ("magic and nothing else", "npy", lambda: b"\x93NUMPY"),
)  # fmt: skip

OUTPUTS: list[Output] = [*_TEXT, *_SCORE_ROWS, *_HEADERS, *_STREAMS, *_VOXELS, *_NUMPY]
