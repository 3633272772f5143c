"""JSON that strangers write, read strictly: what could be misread, or could cost much, is refused."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from evaluator.outputs._file import read_small
from evaluator.outputs._number import TruthError, text_of
from evaluator.outputs._result import InvalidOutput
from evaluator.tables import TableError
from evaluator.verdicts import Check


def read_json(path: Path, suffix: str, limit: int) -> Any:
    """What the JSON file of an output holds: numbers are finite floats, and no key stands twice.

    Raises:
        InvalidOutput: it cannot be opened, has more than `limit` bytes, or is no such JSON.
    """
    return parse_json(text_of(read_small(path, suffix, limit)))


def parse_json(text: str) -> Any:
    """`read_json` of the text of a file.

    Raises:
        InvalidOutput: it is no such JSON.
    """
    decoder = json.JSONDecoder(
        parse_float=_number, parse_int=_number, parse_constant=_not_finite, object_pairs_hook=_each_key_once
    )
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise InvalidOutput(Check.JSON, "The output file is not valid JSON.", where) from None
    except RecursionError:
        raise InvalidOutput(Check.JSON, "The output file is nested too deeply.") from None


def _number(token: str) -> float:
    value = float(token)
    if not math.isfinite(value):
        message = "The output file has a number that is too large for a float."
        raise InvalidOutput(Check.FINITE, message, f"found {token[:40]}")
    return value


def _not_finite(token: str) -> NoReturn:
    raise InvalidOutput(Check.FINITE, "The output file has a number that is not finite.", f"found {token}")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    merged = dict(pairs)
    if len(merged) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise InvalidOutput(
            Check.JSON, "A key stands twice in one object of the output file.", f"{twice[:40]!r}"
        )
    return merged


@contextmanager
def sentence_of_label() -> Iterator[None]:
    """Lets a label be read as an output is.

    Raises:
        TruthError: with what is wrong with it, as a predicate.
    """
    try:
        yield
    except InvalidOutput as error:
        detail = f" ({error.detail})" if error.detail else ""
        said = (
            error.message.removesuffix(".").replace("The output file", "it").replace("the output file", "it")
        )
        raise TruthError(f"is no label of the task: {said[:1].lower()}{said[1:]}{detail}") from None
    except TableError as error:
        raise TruthError(f"cannot be read: {error}") from None


@dataclass(frozen=True)
class Reading:
    """An object of a JSON file, read field by field. place: what it is, for details such as "point 3"."""

    content: Any
    place: str

    def require(self, wanted: Sequence[str], *, optional: Sequence[str] = ()) -> None:
        """Refuses what is no object, lacks a field, or has one that is neither wanted nor optional."""
        if not isinstance(self.content, dict):
            raise InvalidOutput(
                Check.FIELDS, "An entry of the output file is no object with fields.", self.place
            )
        for field in wanted:
            if self.content.get(field) is None:
                message = f"An entry of the output file lacks the field {field}."
                raise InvalidOutput(Check.FIELDS, message, self.place)
        for field in self.content:
            if field not in wanted and field not in optional:
                message = "An entry of the output file has a field that is none of the task's."
                raise InvalidOutput(Check.FIELDS, message, f"{self.place}: {field[:40]!r}")

    def has(self, field: str) -> bool:
        """Whether the field is there and not null."""
        return self.get(field) is not None

    def get(self, field: str) -> Any:
        """What the field holds, None where it is not there."""
        return self.content.get(field)

    def number(self, field: str, low: float = -math.inf, high: float = math.inf) -> float:
        """The number in a field, from `low` to `high`."""
        value = self.get(field)
        if not isinstance(value, float):
            raise InvalidOutput(Check.DECIMAL_FLOAT, f"The field {field} is no number.", self._found(field))
        if not low <= value <= high:
            message = f"The field {field} must lie between {low:g} and {high:g}."
            raise InvalidOutput(Check.RANGE, message, self._found(field))
        return value

    def whole(self, field: str, low: float, high: float) -> float:
        """The whole number in a field, from `low` to `high`."""
        value = self.number(field, low, high)
        if not value.is_integer():
            raise InvalidOutput(
                Check.INTEGER_VALUES, f"The field {field} is no whole number.", self._found(field)
            )
        return value

    def numbers(self, field: str, count: int) -> list[float]:
        """So many numbers in a list."""
        values = self.get(field)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(isinstance(v, float) for v in values)
        ):
            raise InvalidOutput(Check.FIELDS, f"The field {field} is no list of {count} numbers.", self.place)
        return values

    def boolean(self, field: str) -> float:
        """1 where a field is true, 0 where it is false."""
        value = self.get(field)
        if not isinstance(value, bool):
            message = f"The field {field} is neither true nor false."
            raise InvalidOutput(Check.FIELDS, message, self._found(field))
        return float(value)

    def choice(self, field: str, allowed: Sequence[str]) -> int:
        """The place among `allowed` of the text in a field."""
        value = self.get(field)
        if value not in allowed:
            message = f"The field {field} holds none of the names that the task lists."
            raise InvalidOutput(Check.LABELS, message, self._found(field))
        return allowed.index(value)

    def _found(self, field: str) -> str:
        value = self.get(field)
        try:
            return f"{self.place}: found {json.dumps(value)[:40]}"
        except RecursionError:  # writing takes a level more than reading took
            return f"{self.place}: found lists or objects that are nested too deeply to be shown"
