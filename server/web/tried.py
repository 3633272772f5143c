"""What a page asked for, or why it was refused, which stands beside the form that asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from server.errors import Problem
from server.words import words

_T = TypeVar("_T")


@dataclass(frozen=True)
class Tried(Generic[_T]):
    """A plan or a list that a page shows, or why there is none."""

    plan: _T | None = None
    refused: str | None = None
    status: int = 200


def tried(make: Callable[[], _T]) -> Tried[_T]:
    """What `make` makes, or its refusal in words, which the page shows beside the form."""
    try:
        return Tried(make())
    except Problem as problem:
        return Tried(refused=problem.detail, status=problem.status)
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(str(part) for part in found["loc"]) or "the form"
        return Tried(refused=f"{field}: {words(found)}.", status=422)
