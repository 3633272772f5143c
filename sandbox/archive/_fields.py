"""The types of an image config's fields: an engine that meets another one refuses the whole image.

Go, in which engines are written, takes null for every type and ignores fields that it does not know.
Sources: the image specification's config.md (github.com/opencontainers/image-spec), and Docker's (github.com/moby/moby,
image/spec/specs-go/v1 and api/types/container).
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.archive._errors import BUILD_AGAIN, ArchiveCode, ArchiveInvalid, shown

_USED = frozenset(
    {"architecture", "os", "variant", "rootfs", "config", "history", "env", "entrypoint", "user"}
)
_USED |= {"labels", "volumes", "diff_ids", "empty_layer"}
_SORTS = {
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
}
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T([01]?\d|2[0-3]):([0-5]\d):([0-5]\d)([.,]\d+)?(Z|[+-]([01]\d|2[0-4]):[0-5]\d)"
)


def invalid(message: str) -> ArchiveInvalid:
    """The error of JSON that does not describe an image."""
    return ArchiveInvalid(ArchiveCode.CONFIG_INVALID, message)


def is_text(value: Any) -> bool:
    """Whether this is a text that a database and a command line can hold: no NUL, no half of a surrogate pair."""
    return isinstance(value, str) and re.search("[\0\ud800-\udfff]", value) is None


_Type = tuple[str, Callable[[Any], bool]]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_time(value: Any) -> bool:
    parts = _TIME.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return False
    year, month, day = (int(parts[number]) for number in (1, 2, 3))
    try:
        date(year or 4, month, day)  # the year 0 is a leap year that Python does not have
    except ValueError:
        return False
    return True


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str | None) for item in value)


def _maps_to(kind: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and all(isinstance(item, kind | None) for item in value.values())
    )


_TEXT: _Type = ("a text", lambda value: isinstance(value, str))
_FLAG: _Type = ("true or false", lambda value: isinstance(value, bool))
_INTEGER: _Type = ("a whole number", _is_integer)
_MOMENT: _Type = ("a time like 2026-01-31T12:00:00Z (RFC 3339)", _is_time)
_TEXTS: _Type = ("a list of texts", _is_texts)
_WORDS: _Type = ("a list of texts", lambda value: isinstance(value, str) or _is_texts(value))
_NAMES: _Type = ("an object of empty objects", _maps_to(dict))
_LABELS: _Type = ("an object of texts", _maps_to(str))

Fields = Mapping[str, "_Type | Fields | list[Fields]"]

_HEALTH: Fields = {
    "Test": _TEXTS,
    **dict.fromkeys(("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"), _INTEGER),
}
_RUNNING: Fields = {
    **dict.fromkeys(
        ("Hostname", "Domainname", "User", "Image", "WorkingDir", "MacAddress", "StopSignal"), _TEXT
    ),
    **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"), _FLAG),
    **dict.fromkeys(("ArgsEscaped", "NetworkDisabled"), _FLAG),
    **dict.fromkeys(("ExposedPorts", "Volumes"), _NAMES),
    **dict.fromkeys(("Env", "OnBuild"), _TEXTS),
    **dict.fromkeys(("Cmd", "Entrypoint", "Shell"), _WORDS),
    "Labels": _LABELS,
    "StopTimeout": _INTEGER,
    "Healthcheck": _HEALTH,
}
_CONFIG: Fields = {
    **dict.fromkeys(
        ("id", "parent", "comment", "container", "docker_version", "author", "architecture"), _TEXT
    ),
    **dict.fromkeys(("os", "variant", "os.version"), _TEXT),
    "os.features": _TEXTS,
    "created": _MOMENT,
    "Size": _INTEGER,
    "config": _RUNNING,
    "container_config": _RUNNING,
    "rootfs": {"type": _TEXT, "diff_ids": _TEXTS},
    "history": [
        {
            "created": _MOMENT,
            **dict.fromkeys(("author", "created_by", "comment"), _TEXT),
            "empty_layer": _FLAG,
        }
    ],
}


def require_types(content: Mapping[str, Any]) -> None:
    """Returns where every field that engines know has the type that they want, and those read here their very name.

    Raises:
        ArchiveInvalid: config_invalid.
    """
    _require(content, _CONFIG, "")


def _require(content: Any, fields: Fields, where: str) -> None:
    if not isinstance(content, Mapping):
        raise _wrong(where, "an object", content)
    known = {name.lower(): kind for name, kind in fields.items()}
    for name, value in content.items():
        if (kind := known.get(_folded(name))) is None or value is None:
            continue
        place = f"{where}.{name}" if where else name
        if name not in fields and _folded(name) in _USED:
            raise invalid(
                f"the image config writes the field {shown(place)} otherwise than Docker does; {BUILD_AGAIN}."
            )
        _require_type(value, kind, place)


def _folded(name: str) -> str:
    """A field's name as Go compares it: without case, by which two letters beyond ASCII are an s and a k too."""
    return name.replace("\N{LATIN SMALL LETTER LONG S}", "s").replace("\N{KELVIN SIGN}", "k").lower()


def _require_type(value: Any, kind: "_Type | Fields | list[Fields]", place: str) -> None:
    if isinstance(kind, Mapping):
        _require(value, kind, place)
    elif isinstance(kind, tuple):
        if not kind[1](value):
            raise _wrong(place, kind[0], value)
    elif not isinstance(value, list):
        raise _wrong(place, "a list", value)
    else:
        for number, item in enumerate(value):
            if item is not None:
                _require(item, kind[0], f"{place}[{number}]")


def _wrong(where: str, wanted: str, value: Any) -> ArchiveInvalid:
    said = shown(value) if isinstance(value, str) else _SORTS.get(type(value), "something else")
    return invalid(
        f"the image config's field {shown(where)[1:-1]} is not {wanted} but {said}: no engine takes that; "
        f"{BUILD_AGAIN}."
    )
