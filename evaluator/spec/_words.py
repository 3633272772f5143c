"""What is wrong with a challenge file, in sentences for the people who write it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

Path = tuple[str | int, ...]

TIME = "2026-06-15T00:00:00+02:00"
"""How a time is written, for sentences about one that is not."""

KEY = r"^[a-z0-9][a-z0-9_]*$"
SLUG = r"^[a-z0-9][a-z0-9-]*$"
FLAG = r"^--[a-z0-9][a-z0-9_-]*$"
FILE = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9]+)+$"
_WRITTEN = {
    KEY: "a name is lower case letters, digits and _, such as task1",
    SLUG: "a challenge's name is lower case letters, digits and -, such as fomo26",
    FLAG: "a flag is -- and then lower case letters, digits, - and _, such as --flair",
    FILE: "a file name is letters, digits, - and _ with an ending, such as flair.nii.gz",
}


_ALTERNATIVES = {"one_of": ("key", "flag", "file")}
"""Fields in whose place another one stands."""

_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("greater than or equal to", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("less than or equal to", "le"),
}
_LENGTHS = {
    "too_short": ("needs at least", "min_length", "of them"),
    "too_long": ("takes at most", "max_length", "of them"),
    "string_too_short": ("needs at least", "min_length", "characters"),
    "string_too_long": ("takes at most", "max_length", "characters"),
}


@dataclass(frozen=True)
class Mistake:
    """One thing wrong: where, as a path of keys and positions, and what to say of it."""

    path: Path
    message: str


def guess(word: str, known: Sequence[str]) -> str:
    """`; did you mean X?` where a known word is close to `word`, else nothing."""
    close = get_close_matches(word, [str(name) for name in known], n=1)
    return f"; did you mean {plain(close[0])}?" if close else ""


def mapping(value: object) -> Mapping[str, Any]:
    """`value` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def shown(value: object) -> str:
    """What stands in the file, short enough for a sentence."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def plain(name: object) -> str:
    """The name of a field as it is, or in quotation marks where it could not be read or seen otherwise."""
    text = str(name)
    return text if re.fullmatch(r"[\w:\[\]-]{1,80}", text, re.ASCII) else shown(text)


def without_follow_ups(errors: Sequence[Any], fields_at: Callable[[Path], Sequence[str]]) -> list[Any]:
    """`errors` of pydantic without those that follow from another one.

    A field is missing because its name is misspelt beside it; a list is too short because its entries are wrong.
    fields_at: from a path to the names that may stand there.
    """
    meant, within = set(), set()
    for error in errors:
        path = tuple(error["loc"])
        within |= {path[:end] for end in range(len(path))}
        if error["type"] == "extra_forbidden":
            *parent, word = path
            close = get_close_matches(str(word), fields_at(tuple(parent)), n=1)
            meant |= {(*parent, name) for name in close}
            if close and close[0] in _ALTERNATIVES:
                meant |= {(*parent, name) for name in _ALTERNATIVES[close[0]]}
    return [
        error
        for error in errors
        if not (error["type"] == "missing" and tuple(error["loc"]) in meant)
        and not (error["type"] == "too_short" and tuple(error["loc"]) in within)
    ]


def words(error: Any, known: Sequence[str]) -> str:
    """What pydantic found, as a sentence for people; `known` are the names that may stand where an odd one does."""
    kind, value, context = error["type"], error.get("input"), error.get("ctx") or {}
    if kind == "extra_forbidden":
        word = str(error["loc"][-1])
        return f"unknown field {plain(word)}" + guess(word, known)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind.startswith(("datetime", "date", "timezone")):
        return of_time(value)
    sentence = _of_kind(kind, value) or _of_bounds(kind, value, context) or _of_choice(kind, value, context)
    return sentence or str(error["msg"]).replace("Input should be", "has to be")


def of_time(value: object) -> str:
    """Why `value` is no time, and how one is written."""
    if isinstance(value, date):
        return f"a time needs its offset from UTC, such as {TIME}"
    how = f"write it as {TIME}, the offset from UTC in digits and not as the name of a zone"
    return f"{shown(value)} is no time: {how}"


def _of_kind(kind: str, value: object) -> str | None:
    """Sentences about something of the wrong kind."""
    if kind == "string_type" and isinstance(value, bool):
        return "text is wanted, and yes, no, on, off, true and false are none without quotation marks"
    if kind == "string_type" and isinstance(value, int | float):
        return f"text is wanted: put {value} in quotation marks"
    wanted = {
        "string": "text",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "tuple": "a list, such as [a, b],",
        "list": "a list, such as [a, b],",
        "dict": "a mapping of fields",
        "model": "a mapping of fields",
    }.get(kind.split("_")[0])
    ending = kind.partition("_")[2]
    if wanted is None or ending not in ("type", "parsing", "from_float", "attributes_type", "parsing_size"):
        return None
    return f"{wanted} is wanted, not {shown(value)}"


def _of_bounds(kind: str, value: object, context: Mapping[str, Any]) -> str | None:
    """Sentences about something of the right kind that is too large, too small, too many or written otherwise."""
    if kind in _BOUNDS:
        how, name = _BOUNDS[kind]
        return f"has to be {how} {_number(context[name])}, not {shown(value)}"
    if kind == "string_pattern_mismatch":
        how = _WRITTEN.get(context["pattern"], f"it has to fit the pattern {context['pattern']}")
        return f"{shown(value)} cannot stand here: {how}"
    if kind in _LENGTHS:
        how, name, what = _LENGTHS[kind]
        return f"{how} {context[name]:,} {what}"
    return "a number here is finite, neither .nan nor .inf" if kind == "finite_number" else None


def _of_choice(kind: str, value: object, context: Mapping[str, Any]) -> str | None:
    """Sentences about something that is none of a few."""
    if kind == "literal_error":
        expected = str(context["expected"])
        return f"has to be {expected}, not {shown(value)}" + guess(str(value), expected.split("'")[1::2])
    return None


def _number(bound: float) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)
