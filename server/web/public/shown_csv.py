"""The table of a board's page as CSV: the same teams, columns and order, without pages."""

import csv
import io
from dataclasses import replace
from typing import TypeVar

from contract.leaderboard import Marks
from server.leaderboard.made import MadeTrack
from server.leaderboard.memory import Board
from server.web.public.query import View
from server.web.public.sources import OneBoard, OverAll
from server.web.public.tables import Table, table_of
from server.words import for_spreadsheet

_Entry = TypeVar("_Entry", bound=Marks)
_EVERY = 1_000_000
"""More rows than any board has."""


def spreadsheet(board: Board, track: MadeTrack, name: str | None, view: View) -> str:
    """What the page of a track, or of its board `name`, shows."""
    view = replace(view, per=_EVERY, page=1, opened="")
    if name is None:
        return _written(table_of(OverAll(track, view.path), track.unified, view, None))
    found = next(one for one in track.boards if one.head.board == name).out
    return _written(table_of(OneBoard(found, board.made.head.decimals), found.entries, view, None))


def _written(table: Table[_Entry]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    certain = [any(line.cells[at].below for line in table.lines) for at in range(len(table.columns))]
    heads = [
        head
        for column, interval in zip(table.columns, certain, strict=True)
        for head in ([column.title, f"{column.title} interval"] if interval else [column.title])
    ]
    writer.writerow(["place", "places", "team", "marks", "prize", *map(for_spreadsheet, heads)])
    for line in table.lines:
        marks = "; ".join(mark.text for mark in line.marks)
        cells = [
            text
            for cell, interval in zip(line.cells, certain, strict=True)
            for text in ([cell.text, cell.below] if interval else [cell.text])
        ]
        said = (line.name, marks, line.prize)
        writer.writerow([line.place, line.places, *map(for_spreadsheet, said), *cells])
    return out.getvalue()
