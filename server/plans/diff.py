"""What one version of a challenge file says otherwise than another, field by field."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from contract.challenges import Change
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.pages import moment

SECTIONS = ("tracks", "tasks", "boards", "phases")
"""Parts of a challenge whose entries have names: what vanishes here may be meant under another one."""

DATES = ("opens", "closes", "freezes")
"""Fields of a phase that are moments."""

_SIZES = ("memory", "shm", "output", "disk", "image", "log", "team_storage")
_UNITS = ((2**40, "t"), (2**30, "g"), (2**20, "m"), (2**10, "k"))
_LONGEST = 200


def differences(old: Spec, new: Spec, *, at: datetime) -> list[Change]:
    """Every field that differs; tracks, tasks, boards and phases that come or go as a whole. `at` is now."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    found = []
    for field, was, is_ in _different((), before, after):
        words = None
        if field[0] == "phases" and len(field) == 3 and field[2] in DATES:
            words = _moved(old.phases[field[1]], new.phases[field[1]], field[2], at)
        elif field[0] == "phases" and len(field) == 2:
            words = state((new if is_ is not None else old).phases[field[1]], at)
        found.append(
            Change(field=".".join(field), old=_shown(field, was), new=_shown(field, is_), words=words)
        )
    return found


def gone(old: Spec, new: Spec, section: str) -> dict[str, str | None]:
    """The names of `section` that vanish, each with the new one that may be meant by it."""
    before, after = getattr(old, section), getattr(new, section)
    added = [name for name in after if name not in before]
    return {
        name: next(iter(get_close_matches(name, added, n=1)), None) for name in before if name not in after
    }


def state(phase: Phase, at: datetime) -> str:
    """Whether a phase takes submissions at `at`, and from when until when."""
    until = f" until {moment(phase.closes)}" if phase.closes else ", without an end"
    if phase.opens is None:
        return "takes nothing: it has no opening date"
    if at < phase.opens:
        return f"opens {moment(phase.opens)}{until}"
    return f"is open{until}" if phase.is_open(at) else f"has been closed since {_of(phase, 'closes')}"


def is_earlier(old: Phase, new: Phase, field: str) -> bool:
    """Whether a date moves back, or an opening is taken away, so that what was announced no longer holds."""
    before, after = getattr(old, field), getattr(new, field)
    if after is None:
        return before is not None and field == "opens"
    return before is not None and after < before


def _of(phase: Phase, field: str) -> str:
    date: datetime | None = getattr(phase, field)
    return moment(date) if date else "no date"


def _moved(old: Phase, new: Phase, field: str, at: datetime) -> str:
    before, after = getattr(old, field), getattr(new, field)
    if before is None or after is None:
        words = "a date for the first time" if before is None else "no date any more"
    elif before == after:
        words = "the same moment, written with another offset"
    else:
        words = f"{span(abs(after - before))} {'later' if after > before else 'earlier'}"
    return f"{words}; the phase {state(new, at)}"


def span(time: timedelta) -> str:
    """A length of time in words, to its two largest parts."""
    seconds = int(time.total_seconds())
    parts = []
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,} {name}{'s' if count > 1 else ''}")
    return " ".join(parts[:2]) or "less than a second"


def _different(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Leaves that differ. What is in one of two mappings only, and lists of unequal length, are told as a whole."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _different((*path, str(name)), before.get(name), after.get(name))
    elif _alike(before, after):
        for place, (was, is_) in enumerate(zip(before, after, strict=True)):
            yield from _different((*path, str(place)), was, is_)
    else:
        yield path, before, after


def _alike(before: Any, after: Any) -> bool:
    """Whether both are lists of as many mappings, which are told entry by entry."""
    if not isinstance(before, list) or not isinstance(after, list) or len(before) != len(after):
        return False
    return all(isinstance(side, dict) for side in (*before, *after))


def _shown(field: tuple[str, ...], value: Any) -> str | None:
    """A value as a challenge file writes it, on one line."""
    if value is None:
        return None
    text = (
        value
        if isinstance(value, str)
        else _written(value, field[-1], sizes="limits" in field or len(field) == 1)
    )
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _written(value: Any, name: str, *, sizes: bool) -> str:
    if isinstance(value, Mapping):
        inner = (f"{key}: {_written(part, key, sizes=sizes)}" for key, part in value.items())
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item, name, sizes=sizes) for item in value) + "]"
    if sizes and name in _SIZES and isinstance(value, int):
        return next((f"{value // unit}{sign}" for unit, sign in _UNITS if value % unit == 0), str(value))
    if isinstance(value, float):
        return f"{value:.12g}"
    return value if isinstance(value, str) else json.dumps(value)
