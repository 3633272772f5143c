"""The one place where commands write to a terminal. Nothing that anybody else wrote commands it.

Names of teams, hosts and files, logs of containers, answers of a server: any of them may hold escape sequences, which
clear the screen, fill the clipboard or hide what follows, marks that turn the reading order round, or what rich would
read as markup. All of it passes through here, and what a terminal would not print as it stands shows as U+FFFD.
"""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import console as rich
from rich.segment import Segment
from rich.text import Text
from typer.core import TyperGroup

_WIDE = 180
_UNSEEN = "\ufffd"
# Letters and marks by Unicode's categories that nevertheless show nothing.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_MOST_MARKS = 4
_MARKS = re.compile(r"[^\x00-\u02ff]+")  # where combining marks may be
_ORDINARY = re.compile(r"[\x20-\x7e\n\t]*")


def harmless(text: str) -> str:
    """`text` as a terminal may print it: every character that is no sign, line break or tab becomes U+FFFD.

    A carriage return, with which a line could be written over another, begins a new line. Spaces of all widths become
    plain ones, and of many marks above one another four are left.
    """
    if _ORDINARY.fullmatch(text):
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _MARKS.sub(_without_towers, "".join(map(_sign, lines)))


def _sign(character: str) -> str:
    if character in _BLANKS:
        return _UNSEEN
    if character.isprintable() or character in "\n\t":
        return character
    return " " if unicodedata.category(character) == "Zs" else _UNSEEN


def _without_towers(tower: re.Match[str]) -> str:
    kept, height = [], 0
    for character in tower[0]:
        height = height + 1 if unicodedata.combining(character) else 0
        if height <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def in_line(text: str) -> str:
    """The same for what stands inside a line, such as a name: a line break or tab in it becomes U+FFFD, too."""
    return harmless(text).replace("\n", _UNSEEN).replace("\t", _UNSEEN)


def harmless_json(text: str) -> str:
    """JSON in which everything that is not harmless is escaped: programs still get every character."""
    return "".join(
        character if harmless(character) == character else json.dumps(character, ensure_ascii=True)[1:-1]
        for character in text
    )


class Console(rich.Console):
    """A console that prints text as it stands: no markup, no emoji by name, no links, nothing but `harmless` text.

    Colours come from `style=` and from `Text`. What is no terminal has `file_width` columns, room for whole rows,
    unless COLUMNS says otherwise.
    """

    def __init__(
        self, *, stderr: bool = False, width: int | None = None, file_width: int = _WIDE, **more: Any
    ) -> None:
        stream = sys.stderr if stderr else sys.stdout
        known = stream.isatty() or "COLUMNS" in os.environ
        wide = width if width is not None else None if known else file_width
        super().__init__(stderr=stderr, width=wide, highlight=False, markup=False, emoji=False, **more)

    def render(
        self, renderable: rich.RenderableType, options: rich.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The pieces of text that are printed; every one passes here."""
        if isinstance(renderable, Text) and harmless(renderable.plain) != renderable.plain:
            renderable = renderable.copy()
            renderable.plain = harmless(renderable.plain)
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                style = segment.style
                linked = style is not None and style.link is not None
                yield Segment(harmless(segment.text), style.update_link(None) if linked and style else style)

    def render_str(self, text: str, **more: Any) -> Text:
        """`text` as it is laid out: cleaned before, so that it takes the room that it needs."""
        return super().render_str(harmless(text), **more)


def say(*lines: str, err: bool = False) -> None:
    """Prints lines of text on standard output, or with `err` on standard error."""
    for line in lines:
        typer.echo(harmless(line), err=err)


def say_json(content: Any, *, indent: int | None = 2) -> None:
    """Prints JSON for programs on standard output; `content` may be a pydantic model."""
    # Pydantic itself takes long to load, and a list of commands needs none of it.
    if hasattr(content, "model_dump"):
        content = content.model_dump(mode="json")
    say(harmless_json(json.dumps(content, indent=indent, ensure_ascii=False, default=str)))


def ask(question: str, *, unseen: bool = False, twice: bool = False, default: str | None = None) -> str:
    """What a person types, or `default` if that is nothing; `unseen` shows nothing of it."""
    offered = None if default is None else in_line(default)
    typed: str = typer.prompt(
        in_line(question), hide_input=unseen, confirmation_prompt=twice, default=offered
    )
    return typed


def agreed(question: str, *, err: bool = False, abort: bool = False) -> bool:
    """Whether a person says yes; with `abort` the command ends where not."""
    said: bool = typer.confirm(harmless(question), err=err, abort=abort)
    return said


_UsageError: Any = typer.BadParameter.__mro__[1]  # typer has no public name for it


class CommandGroup(TyperGroup):
    """Commands whose usage errors, which repeat what was typed or what a pattern of the shell found, are harmless."""

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """The context of the program."""
        with _plainly():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command."""
        with _plainly():
            return super().invoke(ctx)


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        message = error.format_message().replace("Value error, ", "")  # pydantic's, which says nothing
        vars(error)["format_message"] = lambda: harmless(message)
        raise
