"""Addresses of lists: what was asked for, as the links of a page repeat it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode


def address(path: str, asked: Mapping[str, object]) -> str:
    """`path` with what was asked for; what was not is left out."""
    given = {name: str(value) for name, value in asked.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def given(value: str | None) -> str | None:
    """What a field of a filter holds; an empty one asks for nothing."""
    return value.strip() or None if value is not None else None


def midnight(asked: str) -> datetime | None:
    """When a day of a filter begins, in UTC; what is no date asks for nothing."""
    try:
        return datetime.fromisoformat(asked).replace(tzinfo=UTC) if asked else None
    except ValueError:
        return None
