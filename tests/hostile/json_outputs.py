"""Output files of points and tables that attack their parser, byte by byte."""

from collections.abc import Callable

from tests.hostile.outputs import Output, rows_of
from tests.hostile.table import VALID

POINTS = "points"  # for one of at most 3 points with a confidence
TABLE = "table"  # for one of a number from 0 to 1, a whole number, a category of low and high, and a boolean


def _point(x: bytes = b"1", confidence: bytes = b"0.5", more: bytes = b"") -> bytes:
    return b'{"x": ' + x + b', "y": 2, "z": 3, "confidence": ' + confidence + more + b"}"


def _points(*points: bytes) -> Callable[[], bytes]:
    return lambda: b"[" + b", ".join(points) + b"]"


def _record(
    risk: bytes = b"0.5", lesions: bytes = b"2", grade: bytes = b'"low"', more: bytes = b""
) -> Callable[[], bytes]:
    fields = (
        b'"risk": ' + risk + b', "lesions": ' + lesions + b', "grade": ' + grade + b', "recurs": true' + more
    )
    return lambda: b"{" + fields + b"}"


_POINTS = rows_of(
    POINTS,
    "a list of points with these fields alone, in as many bytes as so many take",
    ("points of nothing", "json", lambda: b""),
    ("a million points", "too_large", lambda: _points(*[_point()] * 10**6)()),
    ("one point too many", "count", _points(*[_point()] * 4)),
    ("lists in lists", "json", lambda: b"[" * 4000, "nested too deeply"),
    ("objects in objects", "json", lambda: b'{"x":' * 1000, "nested too deeply"),
    ("coordinate beyond every float", "finite", _points(_point(b"1e999")), "too large"),
    ("coordinate of 3,000 digits", "finite", _points(_point(b"9" * 3000)), "too large"),
    ("coordinate that is no number", "finite", _points(_point(b"NaN"))),
    ("infinite coordinate", "finite", _points(_point(b"-Infinity"))),
    ("coordinate with underscores", "json", _points(_point(b"1_000"))),
    ("coordinate in digits of another script", "json", _points(_point("١٢".encode()))),
    ("coordinate that is text", "decimal_float", _points(_point(b'"1"')), "x is no number"),
    ("coordinate that is a truth", "decimal_float", _points(_point(b"true")), "x is no number"),
    ("coordinate that is a list", "decimal_float", _points(_point(b"[1]")), "x is no number"),
    ("confidence above 1", "range", _points(_point(confidence=b"1.0000001"))),
    ("key that stands twice", "json", _points(_point(more=b', "x": 9')), "stands twice"),
    ("field of a prototype", "fields", _points(_point(more=b', "__proto__": {}')), "none of the task's"),
    ("comma at the end", "json", lambda: b"[" + _point() + b",]"),
    ("two lists", "json", lambda: b"[][]"),
    ("comment in JSON", "json", lambda: b"[] // nothing found"),
    ("byte order mark before JSON", "encoding", lambda: b"\xef\xbb\xbf[]", "byte order mark"),
    ("JSON in UTF-16", "encoding", lambda: "[]".encode("utf-16")),
    ("NUL in JSON", "encoding", lambda: b"[]\0", "NUL"),
    ("lines that end as on Windows", VALID, lambda: b"[\r\n" + _point() + b"\r\n]\r\n"),
    ("the same point twice", VALID, _points(_point(), _point())),
    ("coordinates near the end of floats", VALID, _points(_point(b"1.7e308"))),
)  # fmt: skip

_TABLES = rows_of(
    TABLE,
    "one object with values of the declared types, in as many bytes as so many columns take",
    ("CSV for JSON", "json", lambda: b"risk,lesions,grade,recurs\n0.5,2,low,true\n"),
    ("record in a list", "fields", lambda: b"[" + _record()() + b"]", "no object"),
    ("number that is null", "fields", _record(b"null"), "lacks the field risk"),
    ("whole number with a fraction", "integer_values", _record(lesions=b"2.5"), "no whole number"),
    ("whole number beyond exact floats", "range", _record(lesions=b"9007199254740993e3"), "must lie between"),
    ("category of another case", "labels", _record(grade=b'"LOW"'), "none of the names"),
    ("category that is half a character", "labels", _record(grade=b'"\\ud800"'), "none of the names"),
    ("category with a line end", "labels", _record(grade=b'"low\\n"'), "none of the names"),
    ("column too many", "fields", _record(more=b', "died": true'), "none of the task's"),
    ("column that stands twice", "json", _record(more=b', "risk": 0.9'), "stands twice"),
    ("record with a text of megabytes", "too_large", _record(more=b', "x": "' + b"y" * (4 << 20) + b'"')),
    ("number out of its range", "range", _record(b"1.5"), "must lie between 0 and 1"),
    ("whole number written as a float", VALID, _record(lesions=b"2.0")),
)  # fmt: skip

JSON_OUTPUTS: list[Output] = [*_POINTS, *_TABLES]
