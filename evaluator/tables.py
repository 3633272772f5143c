"""CSV files that people write, and numbers in text, read strictly: what could be misread is refused."""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Digits in one place only before the point: else a long text that is none takes time by its length squared.
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


_OTHER_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class TableError(ValueError):
    """A CSV file that cannot be read; the message names the file and the line."""


@dataclass(frozen=True)
class TextTable:
    """The columns of a CSV file, stripped and each there once, and its rows with the line each ends on."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, dict[str, str]]]


def text_of(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises:
        TableError: there is no such file, it cannot be read, or is in another encoding.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise TableError(f"{path}: is no file")
        content = path.read_bytes()
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError(f"{path}: is UTF-16, as Excel and PowerShell write it; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"the byte 0x{content[error.start]:02x} in line {line} is no UTF-8"
        raise TableError(f"{path}: {problem} (Latin-1, perhaps); save the file as UTF-8") from None


def text_table(name: str, text: str) -> TextTable:
    """The table in `text`, the content of the file called `name`.

    Empty lines are left out; cells are as they stand.

    Raises:
        TableError: no valid CSV, or two columns of one name; from `rows`, a row with more or fewer cells.
    """
    lines = _lines(name, text)
    columns = tuple(cell.strip() for cell in next(lines, (1, []))[1])
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if len(columns) == 1 and (other := next((mark for mark in _OTHER_MARKS if mark in columns[0]), None)):
        raise TableError(f"{name}:1: columns are separated by {_OTHER_MARKS[other]}; write commas")
    if twice:
        raise TableError(f"{name}:1: two columns are called {twice[0]!r}")
    return TextTable(columns, _rows(name, columns, lines))


def _lines(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise TableError(f"{name}:{reader.line_num}: not valid CSV: {error}") from None


def _rows(
    name: str, columns: tuple[str, ...], lines: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in lines:
        if len(cells) > len(columns):  # a decimal comma makes two cells of one number
            raise TableError(f"{name}:{line}: more cells than columns; a number is written with a point")
        if len(cells) < len(columns):
            raise TableError(f"{name}:{line}: the row does not have as many cells as the first line")
        yield line, dict(zip(columns, cells, strict=True))


def known(text: str) -> str | None:
    """The text of a cell in composed characters, None where it is empty or says as BIDS does that nothing is known."""
    stripped = unicodedata.normalize("NFC", text.strip())
    return None if stripped.lower() in ("", "n/a", "nan") else stripped


def decimal(text: str) -> float | None:
    """The number that `text` writes in ASCII decimal, such as 0.25 or 1e-3; None if it writes none."""
    return float(text) if _DECIMAL.fullmatch(text) else None
