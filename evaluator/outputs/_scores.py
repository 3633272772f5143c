"""Class scores: a text file with one decimal float per class."""

from collections.abc import Mapping
from pathlib import Path

from evaluator.outputs._file import read_small
from evaluator.outputs._number import parse_float, text_of
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.spec import ScoresOutput
from evaluator.verdicts import Check

_LIMIT = 1 << 20


def check(
    output: ScoresOutput, path: Path, inputs: Mapping[str, Path]
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The scores in the file at `path`; `inputs` are not looked at.

    Raises:
        InvalidOutput: the first check that fails.
    """
    return _row(output, text_of(read_small(path, output.suffix, _LIMIT))), ()


def encode(output: ScoresOutput, value: tuple[float, ...]) -> bytes:
    """The shortest ASCII texts that read back as the same floats, one space between them."""
    return " ".join(repr(float(one)) for one in value).encode("ascii")


def decode(output: ScoresOutput, data: bytes) -> tuple[float, ...]:
    """The scores that `encode` wrote.

    Raises:
        NotCanonical: these are other bytes, or another number of scores.
    """
    try:
        row = _row(output, text_of(data))
    except InvalidOutput as error:
        raise NotCanonical(error.message) from None
    if encode(output, row) != data:
        raise NotCanonical("the scores are not in their shortest form")
    return row


def _row(output: ScoresOutput, text: str) -> tuple[float, ...]:
    tokens = text.split()
    if len(tokens) != len(output.classes):
        message = f"The output file must hold exactly {len(output.classes)} values, one per class."
        raise InvalidOutput(Check.ONE_PER_CLASS, message, f"found {len(tokens)}")
    return tuple(parse_float(token) for token in tokens)
