"""Class scores: a text file with one decimal float per class."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from evaluator.metrics import DATASETS
from evaluator.outputs._file import read_small
from evaluator.outputs._number import TruthError, parse_float, same, text_of
from evaluator.outputs._result import InvalidOutput, NotCanonical
from evaluator.outputs._samples import SCORES
from evaluator.spec import Canary, Cells, Kind, Output, each_once
from evaluator.verdicts import Check

_LIMIT = 1 << 20
_SHOWN = 20  # classes in a sentence


def _class_name(name: str) -> str:
    if name != name.strip():
        raise ValueError(f"{name!r} begins or ends with a blank, and cells of references.csv never do")
    if name.lower() in ("", "n/a", "nan"):
        raise ValueError(f"{name!r} says in references.csv that a label is unknown; name the class otherwise")
    return name


def _told_apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Cells of references.csv are read in composed characters, so names that differ in these alone are one."""
    each_once(tuple(unicodedata.normalize("NFC", name) for name in names))
    return names


_ClassName = Annotated[str, AfterValidator(_class_name), Field(max_length=100)]


class ScoresOutput(Output):
    """A text file with one decimal float per class, in the order of `classes`, as references name them."""

    suffix: ClassVar[str] = ".txt"

    kind: Literal["scores"]
    classes: Annotated[
        tuple[_ClassName, ...], Field(min_length=2, max_length=10_000), AfterValidator(_told_apart)
    ]


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
    return " ".join(repr(float(score)) for score in value).encode("ascii")


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


def class_of(output: ScoresOutput, text: str) -> int:
    """The number of the class that a label names.

    Raises:
        TruthError: it is no class of the task.
    """
    classes = output.classes
    if text in classes:
        return classes.index(text)
    composed = [unicodedata.normalize("NFC", name) for name in classes]  # as the cells of the table are read
    if unicodedata.normalize("NFC", text) not in composed:
        more = f" and {len(classes) - _SHOWN} more" if len(classes) > _SHOWN else ""
        raise TruthError(f"{text[:40]!r} is none of the classes {', '.join(classes[:_SHOWN])}{more}")
    return composed.index(unicodedata.normalize("NFC", text))


def _perfect(output: ScoresOutput, text: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
    own = class_of(output, text)
    return tuple(float(index == own) for index in range(len(output.classes))), ()


def _known_answer(header: bytes, voxels: bytes) -> bytes:
    share = sum(voxels) % 1024 / 1024
    return f"{share!r} {1 - share!r}\n".encode()


KIND = Kind(
    "scores",
    ScoresOutput,
    check,
    encode,
    decode,
    same,
    Check.DECIMAL_FLOAT,
    Canary(
        {"classes": ["a", "b"]},
        _known_answer,
        "86b8a5950760b17084182023d82a7925224d4282fefc0e9d9c63bbba5d3e10b1",
    ),
    Cells(_perfect),
    "evaluator.scoring._classes:score_classes",
    material=(DATASETS,),
    one_number=False,
    samples=SCORES,
)
