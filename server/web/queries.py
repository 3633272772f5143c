"""Addresses of lists: what was asked for, as the links of a page repeat it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from contract.problems import ErrorCode
from server.errors import BadRequest


def address(path: str, asked: Mapping[str, object]) -> str:
    """`path` with what was asked for; what was not is left out."""
    given = {name: str(value) for name, value in asked.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def given(value: str | None) -> str | None:
    """What a field of a filter holds; an empty one asks for nothing."""
    return value.strip() or None if value is not None else None


def moment_of(typed: str) -> datetime | None:
    """When the day begins that a field of a page holds, or the time that it holds, in UTC; None where it is empty.

    Raises:
        BadRequest: it is neither.
    """
    text = typed.strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        detail = f"{text[:40]!r} is no date, as 2026-11-29 is, nor a time in UTC, as 2026-11-29 18:00 is."
        raise BadRequest(ErrorCode.INVALID_FORM, detail) from None
