"""A form as a request of the API: a field's name says where its value goes, and what it is.

`scope.tasks[]` is a list in an object, `repetitions:int` a number, `yes:bool` a tick. An empty field is one that is not
sent; `why:text` sends it all the same. Fields that begin with `_` are for the way back:

- `_csrf`: the page's token;
- `_then`: the page that follows, on this server; `{id}` in it stands for that field of the answer;
- `_done`: what that page says has been done;
- `_key`: the Idempotency-Key of the request, so that a form that is sent twice does one thing;
- `_link`: an address on this server of what the answer shows once; `{code}` stands for that field of the answer.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from contract.problems import ErrorCode
from server.errors import BadRequest

_MOST_FIELDS = 2_000
_NAME = re.compile(
    r"(?P<path>[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)(?P<many>\[\])?(?::(?P<kind>[a-z]+))?"
)
_PLACE = re.compile(r"\{([a-z_]+)\}")
_DEEPEST = 5
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Form:
    """What was sent: the body for the API, and what is to happen after it; `sent`: its fields as they came."""

    body: Mapping[str, Any]
    token: str | None = None
    then: str | None = None
    done: str | None = None
    key: str | None = None
    link: str | None = None
    sent: Sequence[tuple[str, str]] = ()

    @classmethod
    def parse(cls, content: bytes) -> "Form":
        """Reads `application/x-www-form-urlencoded`.

        Raises:
            BadRequest: it is none, or a value is not what its field's name says.
        """
        try:
            pairs = parse_qsl(
                content.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(content),
                max_num_fields=_MOST_FIELDS,
                errors="strict",
            )
        except ValueError:
            raise _bad("This is not a form that a page of this server sent.") from None
        own = {name: value for name, value in pairs if name.startswith("_")}
        given = [(name, value) for name, value in pairs if not name.startswith("_")]
        key = own.get("_key")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise _bad("The field '_key' is no key that a page of this server sent.")
        ways = own.get("_csrf"), own.get("_then"), own.get("_done"), key, own.get("_link")
        return cls(_nested(given), *ways, sent=pairs)

    def next_page(self, answer: object, otherwise: str) -> str:
        """Where the browser goes after `answer`: a page of this server, whatever was sent."""
        wanted = self.then if self.then is not None and is_local(self.then) else otherwise
        filled = _filled(wanted, answer)
        return filled if is_local(filled) else otherwise

    def shown_link(self, answer: object) -> str | None:
        """Where what `answer` shows once is opened: a page of this server; None where the form names none."""
        filled = None if self.link is None else _filled(self.link, answer)
        return filled if filled is not None and is_local(filled) else None


def _filled(address: str, answer: object) -> str:
    values = answer if isinstance(answer, dict) else {}
    return _PLACE.sub(lambda found: quote(str(values.get(found[1], "")), safe=""), address)


def is_local(address: str) -> bool:
    """Whether this is a path of this server, and cannot be taken for another one's address."""
    return (
        address.startswith("/")
        and not address.startswith(("//", "/\\"))
        and address.isprintable()
        and "\\" not in address
        and len(address) <= 2_000
    )


def _nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.fullmatch(name) if len(name) <= _LONGEST_NAME else None
        if found is None:
            raise _bad(f"A field cannot be called {name[:60]!r}.")
        path, many = found["path"].split("."), found["many"] is not None
        if len(path) > _DEEPEST:
            raise _bad(f"The field {name[:60]!r} lies too deep.")
        if value == "" and found["kind"] != "text":
            continue
        where = whole
        for part in path[:-1]:
            where = where.setdefault(part, {})
            if not isinstance(where, dict):
                raise _bad(f"The field {name[:60]!r} is two things at once.")
        read = _read(found["path"], value, found["kind"] or "text")
        if many:
            listed = where.setdefault(path[-1], [])
            if not isinstance(listed, list):
                raise _bad(f"The field {name[:60]!r} is two things at once.")
            listed.append(read)
        else:
            where[path[-1]] = read
    return whole


def _read(name: str, value: str, kind: str) -> Any:
    value = value.replace("\r\n", "\n")  # as browsers send what is typed in several lines
    try:
        match kind:
            case "text":
                return value
            case "int":
                return int(value)
            case "float":
                number = float(value)
                return number if math.isfinite(number) else value
            case "bool":
                return value == "true"
            case "lines":
                return [line.strip() for line in value.splitlines() if line.strip()]
            case "utc":
                return f"{datetime.fromisoformat(value).replace(tzinfo=None).isoformat()}Z"
    except ValueError:
        raise _bad(f"{name}: {value[:60]!r} is not {_KINDS[kind]}.") from None
    raise _bad(f"The field {name!r} is of no known kind.")


_KINDS = {"int": "a whole number", "float": "a number", "utc": "a date with a time"}


def _bad(detail: str) -> BadRequest:
    return BadRequest(ErrorCode.INVALID_FORM, detail)
