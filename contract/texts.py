"""Text that somebody sends: such as PostgreSQL, JSON and a terminal bear, and never without an end.

Whoever can mend it is refused and told; what a run worker says is cleaned instead, for a verdict must not be lost.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from evaluator.terminal import harmless

# Control characters move a terminal's cursor or end a line, bidirectional controls let a line read otherwise than it
# is, NUL and halves of surrogate pairs fit into no column.
BREAKS_LINES = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_BREAKS_PROSE = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069"
_HALVES = r"\ud800-\udfff"  # not in the API's description: JSON cannot write them there
_LINE = re.compile(f"[{BREAKS_LINES}{_HALVES}]")
_PROSE = re.compile(f"[{_BREAKS_PROSE}{_HALVES}]|\r(?!\n)")
# What a terminal takes for a command: CSI … letter; OSC, DCS and the like up to their end; ESC and a letter. One that
# does not end in its line takes no more than its beginning along, so that nobody hides lines from their readers.
_COMMANDS = re.compile(
    r"\x1b\[[0-?]{0,200}[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b\n]{0,4000}(?:\x07|\x1b\\)|\x1b[ -/]?[0-~]?"
)


def short_digests(text: str) -> str:
    """A sentence with the beginnings of its digests, which are wider than a telephone."""
    return re.sub(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}", r"\1…", text)


def line(text: str) -> str:
    """`text`, unless a character of it would not stay in its line.

    Raises:
        ValueError: it holds one.
    """
    if _LINE.search(text):
        raise ValueError("has to be one line of text without control characters")
    return text


def prose(text: str) -> str:
    """`text` of several lines, with tabs if need be, unless another control character is in it.

    Raises:
        ValueError: it holds one.
    """
    if _PROSE.search(text):
        raise ValueError("has to be text without control characters other than tabs and line breaks")
    return text


def printable(text: str) -> str:
    """`text`, unless a character of it would break a line or a page.

    Raises:
        ValueError: it holds one.
    """
    if not text.isprintable():
        raise ValueError("must consist of printable characters")
    return text


def cleaned(text: str) -> str:
    """`text` without what a terminal would obey; other characters that cannot be kept become U+FFFD."""
    return harmless(_COMMANDS.sub("", text))


def listed(values: Iterable[str]) -> str:
    """Names as a sentence has them: a, b and c."""
    *rest, last = list(values) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


@dataclass(frozen=True)
class Line:
    """Marks a field of one line with at most `most` characters, `least` of them; others are refused.

    strip: blanks around it go first.
    """

    most: int
    least: int = 0
    strip: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Its length before its characters: a long one is not looked through."""
        return core_schema.no_info_after_validator_function(line, _text(self.most, self.least, self.strip))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """With the characters that are allowed, unless the field says more exactly which."""
        return {"pattern": f"^[^{BREAKS_LINES}]*$", **handler(core)}


@dataclass(frozen=True)
class Prose:
    """Marks a field of several lines with at most `most` characters, `least` of them; others are refused.

    strip: blanks around it go first.
    """

    most: int
    least: int = 0
    strip: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Its length before its characters."""
        return core_schema.no_info_after_validator_function(prose, _text(self.most, self.least, self.strip))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """With the characters that are allowed."""
        return {**handler(core), "pattern": f"^([^{_BREAKS_PROSE}\\r]|\\r\\n)*$"}


@dataclass(frozen=True)
class Cleaned:
    """Marks a run worker's text with at most `most` characters, `least` of them: what cannot be kept is replaced."""

    most: int
    least: int = 0

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Cleaned first: pydantic itself refuses half a surrogate pair."""
        text = _text(self.most, self.least)
        return core_schema.no_info_before_validator_function(_cleaned_if_text, text)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Any text of that length."""
        return handler(core)


def _text(most: int, least: int = 0, strip: bool = False) -> CoreSchema:
    return core_schema.str_schema(max_length=most, min_length=least or None, strip_whitespace=strip)


def _cleaned_if_text(value: Any) -> Any:
    return cleaned(value) if isinstance(value, str) else value


Name = Annotated[str, Line(100)]
"""What names a thing in a path, a query or a body: a challenge, a phase, a track, a task."""

REQUIRED = {"x-required": True}
"""Marks a header that has to be there, and whose absence is told with a code of its own."""

BINARY = {"type": "string", "format": "binary"}
"""How the API's description names bytes."""
