"""Tab-separated tables as people save them: read tolerantly where no value could be misread, else named by line."""

import csv
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from server.datasets.findings import Findings

_LINES = re.compile(r"\r\n|\n|\r")
_CURE = "save it as tab-separated text in UTF-8"
_MOST = 64 << 20


@dataclass(frozen=True)
class Row:
    """A line of a table: its number and its cells by column, stripped and in composed characters (NFC)."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The columns as they are written, and the rows that could be read."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path, findings: Findings) -> Table | None:
    """The table in `path`, or None where it cannot be read; `findings` takes every line that is not right."""
    text = read_text(path, findings)
    if text is None:
        return None
    lines = [(number, line) for number, line in enumerate(_LINES.split(text), 1) if line.strip()]
    if not lines:
        findings.error(path, "is empty")
        return None
    number, first = lines[0]
    columns = _cells(path, number, first, findings)
    if columns is None or not _separated(path, number, first, columns, findings):
        return None
    rows = []
    for number, line in lines[1:]:
        cells = _cells(path, number, line, findings)
        if cells is not None and _fits(path, number, line, cells, len(columns), findings):
            rows.append(Row(number, dict(zip(columns, cells, strict=False))))
    return Table(tuple(columns), tuple(rows))


def read_text(path: Path, findings: Findings, *, most: int = _MOST) -> str | None:
    """The text of a file in UTF-8, with or without BOM, of `most` bytes; None, and an error, where it is none."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        findings.error(path, f"cannot be read: {error.strerror or error}")
        return None
    if len(content) > most:
        findings.error(path, f"has more than {most} bytes")
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        findings.error(path, "cannot be read as text: it is in UTF-16 or no text at all; save it in UTF-8")
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            byte = content[error.start]
            what = f"cannot be read as text: line {line} holds the byte 0x{byte:02x}, which is no UTF-8"
            findings.error(path, f"{what} (Latin-1 or Windows-1252?); save it in UTF-8")
    return None


def _cells(path: Path, number: int, line: str, findings: Findings) -> list[str] | None:
    try:
        cells = next(csv.reader([line], delimiter="\t", strict=True))
    except (csv.Error, StopIteration) as error:
        findings.error(f"{path}:{number}", f"is no line of tab-separated text: {error}")
        return None
    cells = [unicodedata.normalize("NFC", cell.strip()) for cell in cells]
    odd = next((cell for cell in cells if not cell.isprintable()), None)
    if odd is not None:
        findings.error(f"{path}:{number}", f"holds a character that cannot be printed, in {odd[:40]!r}")
        return None
    return cells


def _separated(path: Path, number: int, line: str, columns: list[str], findings: Findings) -> bool:
    place = f"{path}:{number}"
    if len(columns) == 1:
        for separator, name in ((",", "commas"), (";", "semicolons"), ("|", "bars"), (" ", "spaces")):
            if separator in line.strip():
                findings.error(place, f"the columns are separated by {name}, not by tabs; {_CURE}")
                return False
    if "" in columns[: len(columns) - 1]:
        findings.error(place, f"column {columns.index('') + 1} has no name")
        return False
    counts = Counter(name.casefold() for name in columns if name)
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        findings.error(place, f"two columns are called {twice!r}")
        return False
    return True


def _fits(path: Path, number: int, line: str, cells: list[str], columns: int, findings: Findings) -> bool:
    if len(cells) >= columns and not any(cells[columns:]):
        return True
    what = f"has {len(cells)} cells, but the first line has {columns} columns"
    cure = " (n/a stands for what is not known)"
    if len(cells) < columns and re.search(r" {2,}|,|;", line):
        cure = ": spaces or commas where a tab should be?"
    findings.error(f"{path}:{number}", what + cure)
    return False
