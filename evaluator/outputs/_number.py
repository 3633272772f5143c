"""Numbers: a text file with exactly one decimal float, and how such floats are read."""

import codecs
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from evaluator.metrics import DATASETS
from evaluator.outputs._file import read_small
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.outputs._samples import NUMBERS
from evaluator.spec import Canary, Cells, Kind, Output
from evaluator.tables import decimal
from evaluator.verdicts import Check

_LIMIT = 1 << 16
_FLOAT32_STEP = 2.0**-23
_CLIPPED = "The value lies outside its range by no more than rounding; the nearest bound is taken."
TOLERANCE = 1e-5
"""Largest difference of two numbers or class scores that are one answer, relative to the larger of 1 and the two."""

_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


class NumberOutput(Output):
    """A text file with one decimal float, in `minimum` ≤ value ≤ `maximum` where these are set."""

    suffix: ClassVar[str] = ".txt"

    kind: Literal["number"]
    minimum: float | None = None
    maximum: float | None = None
    unit: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no number fits")
        return self


class TruthError(ValueError):
    """A label that is no number of the task; the message is a predicate such as "label 'x' is not …"."""


def check(output: NumberOutput, path: Path, inputs: Mapping[str, Path]) -> tuple[float, tuple[str, ...]]:
    """The number in the file at `path`; `inputs` are not looked at.

    Raises:
        InvalidOutput: the first check that fails.
    """
    value = _parse(text_of(read_small(path, output.suffix, _LIMIT)))
    return _in_range(output, value, slack=_slack(output))


def encode(output: NumberOutput, value: float) -> bytes:
    """The shortest ASCII text that reads back as the same float."""
    return repr(float(value)).encode("ascii")


def decode(output: NumberOutput, data: bytes) -> float:
    """The number that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes, or the number is out of range.
    """
    try:
        value, _ = _in_range(output, _parse(text_of(data)))
    except InvalidOutput as error:
        raise NotCanonical(error.message) from None
    if encode(output, value) != data:
        raise NotCanonical("the number is not in its shortest form")
    return value


def text_of(content: bytes) -> str:
    """The text of an output file.

    Raises:
        InvalidOutput: it is not UTF-8, or has a byte order mark or NUL bytes.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        detail = "it is UTF-16, as PowerShell writes it" if wide else f"found the bytes {content[:8]!r}"
        raise InvalidOutput(Check.ENCODING, "The output file is not UTF-8 text.", detail) from None
    if text.startswith("\ufeff"):
        raise InvalidOutput(Check.ENCODING, "The output file starts with a byte order mark.")
    if "\0" in text:
        raise InvalidOutput(Check.ENCODING, "The output file holds NUL bytes.")
    return text


def _parse(text: str) -> float:
    tokens = text.split()
    if len(tokens) != 1:
        what = "no value" if not tokens else "more than one value"
        shown = " ".join(token[:20] for token in tokens[:3]) + (" …" if len(tokens) > 3 else "")
        detail = f"found {len(tokens)} values: {shown!r}" if tokens else f"found {len(text)} blank characters"
        message = f"The output file holds {what}; it must hold exactly one."
        raise InvalidOutput(Check.ONE_VALUE, message, detail)
    return parse_float(tokens[0])


def parse_float(token: str) -> float:
    """The finite number that `token` writes in decimal.

    Raises:
        InvalidOutput: it is none.
    """
    shown = f"found {token[:40]!r}"
    if _NOT_FINITE.fullmatch(token):
        raise InvalidOutput(Check.FINITE, "The value is not finite.", shown)
    value = decimal(token)
    if value is None:
        raise InvalidOutput(Check.DECIMAL_FLOAT, "The value is not a decimal number such as 0.25.", shown)
    if not math.isfinite(value):
        raise InvalidOutput(Check.FINITE, "The value is too large for a float.", shown)
    return value


def truth(output: NumberOutput, text: str) -> tuple[float, tuple[str, ...]]:
    """The number that a label of references.csv writes, read as an output is, and sentences of warning.

    Raises:
        TruthError: it is none that an output may have.
    """
    try:
        return _in_range(output, parse_float(text), slack=_slack(output))
    except InvalidOutput as error:
        said = error.message.removeprefix("The value ").removesuffix(".")
        raise TruthError(f"label {text[:40]!r} {said}") from None


def _in_range(output: NumberOutput, value: float, *, slack: float = 0.0) -> tuple[float, tuple[str, ...]]:
    """`value`, and one that lies outside by up to `slack` as the nearest bound, with a warning."""
    low = -math.inf if output.minimum is None else output.minimum
    high = math.inf if output.maximum is None else output.maximum
    if low <= value <= high:
        return value, ()
    if low - slack <= value <= high + slack:
        return min(max(value, low), high), (_CLIPPED,)
    message = f"The value must lie between {low:g} and {high:g}."
    raise InvalidOutput(Check.RANGE, message, f"found {value!r}")


def _slack(output: NumberOutput) -> float:
    """What rounding to float32 may add at the bounds: four of its steps at the larger of them, or at 1."""
    bounds = [abs(bound) for bound in (output.minimum, output.maximum) if bound is not None]
    return 4 * _FLOAT32_STEP * (max(bounds, default=0.0) or 1.0)


def same(one: Any, other: Any) -> bool:
    """Whether two numbers, or two rows of scores, are one answer."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if a.shape != b.shape:
        return False
    return bool(np.abs(a - b).max() <= TOLERANCE * max(1.0, float(np.abs([a, b]).max())))


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    return f"{sum(voxels) % 1024 / 1024!r}\n".encode()


KIND = Kind(
    "number",
    NumberOutput,
    check,
    encode,
    decode,
    same,
    Check.DECIMAL_FLOAT,
    Canary(
        {"minimum": 0, "maximum": 1},
        _known_answer,
        "ac82b7a0de6a45c8a81b02fa149e0944622e35bcbc0fe77b38d67ff31590fce3",
    ),
    Cells(truth),
    "evaluator.scoring._dataset:score_numbers",
    material=(DATASETS,),
    one_number=True,
    samples=NUMBERS,
)
