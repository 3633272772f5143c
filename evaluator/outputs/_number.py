"""Numbers: a text file with exactly one decimal float, and how such floats are read."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from evaluator._tables import decimal
from evaluator.outputs._file import read_small
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.spec import NumberOutput
from evaluator.verdicts import Check

_LIMIT = 1 << 16
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


def check(output: NumberOutput, path: Path, inputs: Mapping[str, Path]) -> tuple[float, tuple[str, ...]]:
    """The number in the file at `path`; `inputs` are not looked at.

    Raises:
        InvalidOutput: the first check that fails.
    """
    return _in_range(output, _parse(text_of(read_small(path, output.suffix, _LIMIT)))), ()


def encode(output: NumberOutput, value: float) -> bytes:
    """The shortest ASCII text that reads back as the same float."""
    return repr(float(value)).encode("ascii")


def decode(output: NumberOutput, data: bytes) -> float:
    """The number that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes, or the number is out of range.
    """
    try:
        value = _in_range(output, _parse(text_of(data)))
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
        raise InvalidOutput(Check.ENCODING, "The output file is not UTF-8 text.") from None
    if text.startswith("\ufeff"):
        raise InvalidOutput(Check.ENCODING, "The output file starts with a byte order mark.")
    if "\0" in text:
        raise InvalidOutput(Check.ENCODING, "The output file holds NUL bytes.")
    return text


def _parse(text: str) -> float:
    tokens = text.split()
    if len(tokens) != 1:
        what = "no value" if not tokens else "more than one value"
        raise InvalidOutput(Check.ONE_VALUE, f"The output file holds {what}; it must hold exactly one.")
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


def _in_range(output: NumberOutput, value: float) -> float:
    low = -math.inf if output.minimum is None else output.minimum
    high = math.inf if output.maximum is None else output.maximum
    if not low <= value <= high:
        message = f"The value must lie between {low:g} and {high:g}."
        raise InvalidOutput(Check.RANGE, message, f"found {value!r}")
    return value
