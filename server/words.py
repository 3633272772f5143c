"""Texts for people: what a schema found wrong with a request, never the value itself, which may be a secret; cells."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contract.texts import cleaned


def for_spreadsheet(text: str | None) -> str | None:
    """A text of people that a spreadsheet does not take for a formula."""
    return f"'{text}" if text is not None and text.startswith(("=", "+", "-", "@")) else text


def counted(number: int, one: str, many: str) -> str:
    """`1 team`, `2 teams`."""
    return f"{number:,} {one if number == 1 else many}"


def of_card(shown: int) -> str:
    """What follows a count of GPUs that show so many bytes at least: the size that such a card is sold with, if any."""
    return f" of {shown / 10**9:g} GB" if shown else ""


def shortened(text: str, most: int) -> str:
    """`text`, or its beginning where it has more than `most` characters; control characters do not stay."""
    return cleaned(text if len(text) <= most else f"{text[:most]}…").replace("\n", " ")


def moment(at: datetime) -> str:
    """A time as pages write it: to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_BOUNDS = {"min_length": ("at least", "needed"), "max_length": ("at most", "allowed")}


def words(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as the end of a sentence that begins with the field's name."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    for bound, (how, ending) in _BOUNDS.items():
        if bound in context:
            one, many = ("character", "characters") if kind.startswith("string") else ("entry", "entries")
            is_one = context[bound] == 1
            return f"{how} {context[bound]:,} {one if is_one else many} {'is' if is_one else 'are'} {ending}"
    if kind == "json_invalid":
        return "is no valid JSON"
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is no field that this takes"
    if kind.startswith("uuid"):
        return "is no id; give the whole of it, as lists show it"
    if kind in ("string_type", "string_unicode"):
        return "has to be text"
    text = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "has to be")
    return text.split(", unable to parse")[0]
