"""Texts, names and times of a challenge file that people could not read or tell apart, or that YAML read otherwise."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from evaluator.spec._vocabulary import types_at
from evaluator.spec._words import TIME, Mistake, Path, mapping, of_time

_LONGEST = {"title": 200, "unit": 40, "prizes": 200, "places": 200, "description": 10_000, "url": 2_000}
_LONGEST_ELSE = 4_096
_OF_ONE_LINE = ("title", "unit", "prizes", "places", "url")
_BOOLEANS = ("hidden", "required", "rerank_boards", "invoke")
_EARLIEST, _LATEST = 2000, 2199


def wrong_texts(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Texts that are blank, too long or of several lines; yes and no where neither is meant; one title for two."""
    for path, value in _leaves(content):
        if isinstance(value, bool) and not _takes_booleans(path):
            message = "true or false (which YAML also reads from yes, no, on and off) says nothing here; "
            yield Mistake(path, message + "if it is text, put it in quotation marks")
        elif isinstance(value, str):
            yield from _wrong_text(path, value)
    yield from _wrong_address(content.get("url"))
    yield from _titles_twice(content)


def _leaves(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*path, position))
    elif path:
        yield path, value


def _takes_booleans(path: Path) -> bool:
    """Whether true or false may stand at a place; a metric reads its parameters itself."""
    of_metric = len(path) > 4 and path[0] == "boards" and path[2] == "metrics" and path[4] != "title"
    of_output = path[0] == "tasks" and path[2:3] == ("output",) and bool in types_at(path)
    return path[-1] in _BOOLEANS or of_metric or of_output


def _wrong_text(path: Path, text: str) -> Iterator[Mistake]:
    field = next((part for part in reversed(path) if isinstance(part, str)), "")
    longest = _LONGEST.get(field, _LONGEST_ELSE)
    if len(text) > longest:
        yield Mistake(path, f"has {len(text):,} characters; {longest:,} are the most")
    elif field == "title" and not text.strip():
        yield Mistake(path, "is blank; people find their way by it")
    elif field in _OF_ONE_LINE and "\n" in text.strip():
        yield Mistake(path, "is one line, and here are several")


def _wrong_address(url: object) -> Iterator[Mistake]:
    if isinstance(url, str) and not re.fullmatch(r"https?://[^\s/?#]+\S*", url):
        yield Mistake(
            ("url",), f"{url[:60]!r} is no address of a page, such as https://example.org/challenge"
        )


def _titles_twice(content: Mapping[str, Any]) -> Iterator[Mistake]:
    for section in ("tasks", "boards", "phases"):
        yield from _twice((section,), mapping(content.get(section)))
    for name, board in mapping(content.get("boards")).items():
        yield from _twice(("boards", name, "metrics"), mapping(mapping(board).get("metrics")))


def _twice(path: Path, named: Mapping[str, Any]) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for name, section in named.items():
        title = mapping(section).get("title")
        if not isinstance(title, str):
            continue
        key = " ".join(title.casefold().split())
        if key in first:
            message = f"{title!r} is the title of {first[key]} already; people could not tell them apart"
            yield Mistake((*path, name, "title"), message)
        else:
            first[key] = name


def wrong_times(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Times of phases that are seconds since 1970 or of another age, which would be read as times all the same."""
    for name, phase in mapping(content.get("phases")).items():
        for field in ("opens", "closes", "freezes"):
            message = _wrong_time(mapping(phase).get(field))
            if message:
                yield Mistake(("phases", name, field), message)


def _wrong_time(value: object) -> str | None:
    if isinstance(value, bool | None):
        return None
    if isinstance(value, int | float) or (
        isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d_.]+\s*", value)
    ):
        return f"{value} is a number, and a time is written as {_meant(value)}"
    if isinstance(value, str) and not re.match(r"\s*\d{4}-\d\d-\d\d", value):
        return of_time(value)
    year = int(str(value).strip()[:4]) if isinstance(value, str | date) else _EARLIEST
    return wrong_year(year)


def wrong_year(year: int) -> str | None:
    """What is said of a year of another age."""
    return None if _EARLIEST <= year <= _LATEST else f"the year {year} is not one that a challenge has"


def _meant(value: int | float | str) -> str:
    """The time that seconds since 1970 stand for, where one is likely meant; else how any time is written."""
    try:
        moment = datetime.fromtimestamp(float(str(value).replace("_", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return TIME
    return moment.isoformat() if _EARLIEST <= moment.year <= _LATEST else TIME
