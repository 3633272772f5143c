"""What models of the challenge file share: sizes in bytes, names, lists without doubles."""

import re
from collections.abc import Hashable, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from evaluator.spec._words import KEY

T = TypeVar("T", bound=Sequence[Hashable])

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _bytes(value: object) -> object:
    if isinstance(value, str):
        size = size_in_bytes(value)
        if size is None:
            raise ValueError("a size is a whole number with k, m, g or t, such as 512m or 16g")
        return size
    return value


def size_in_bytes(value: object) -> int | None:
    """A size as the file writes it; None for what is none."""
    if isinstance(value, str):
        match = re.fullmatch(r"([0-9]{1,18})\s*([kmgt]?)(?:i?b)?", value.strip().lower())
        return int(match[1]) * _UNITS[match[2]] if match else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0, le=2**50)]
"""A size in bytes up to a pebibyte; the file may write 512m or 16g (powers of 1024)."""

Key = Annotated[str, Field(pattern=KEY, max_length=40)]
"""A name of a task, board, input or phase."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""A seed of random numbers."""


def each_once(values: T) -> T:
    """The values, of which none stands twice.

    Raises:
        ValueError: one does.
    """
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands twice; keep one of them")
    return values


EachOnce = AfterValidator(each_once)
"""Refuses a list in which something stands twice."""
