"""What the pages of a board are filled with."""

from collections.abc import Mapping, Sequence
from typing import Any

from contract.entries import EntryDetailsOut
from contract.leaderboard import BoardHead, BoardOut, Marks
from evaluator.charts import Picture, PlacedTeam, rank_sets
from server.leaderboard.made import MadeTrack
from server.leaderboard.memory import Board
from server.pages import footnotes, plural
from server.web.public.leaders import said_of
from server.web.public.opened import OpenedRow, opened_row
from server.web.public.query import MOST_COMPARED, View
from server.web.public.sources import OneBoard, OverAll, value_cell
from server.web.public.tables import numbered, share, table_of

_AMENDED = 3
"""Amendments that a board's head names; the challenge's page has all of them."""


def unified_page(
    board: Board, track: MadeTrack, view: View, own: str | None, behind: EntryDetailsOut | None = None
) -> Mapping[str, Any]:
    """A track over all its boards, and the boards that lead from it. behind: what stands behind the opened row."""
    source = OverAll(track, view.path)
    table = table_of(source, track.unified, view, own)
    filled = [one for one in track.boards if one.count or one.otherwise]
    return _common(board, track, view.path) | {
        "table": table,
        "opened": _opened(board, track, table.opened, behind),
        "ranked": sum(not (entry.baseline or entry.disqualified) for entry in track.unified),
        "filled": filled,
        "empty": [one.head for one in track.boards if not (one.count or one.otherwise)],
        "checkpoints": source.checkpoints,
        "prizes": any(entry.prize for entry in track.unified),
        "cases": _cases(board, track.heads),
        "csv": table.view.link(f"{view.path}/shown.csv", page=1, opened=""),
        "compare": _comparison(view, table.compared),
        "picture": _places_drawn(track),
        "lead": said_of(track),
        "beside": any(entry.baseline or entry.disqualified for entry in track.unified),
    }


def _places_drawn(track: MadeTrack) -> Picture | None:
    """How sure each place is, drawn; None where it is not known."""
    sure = [entry for entry in track.unified if entry.places is not None and entry.placement is not None]
    if not sure or track.certainty is None:
        return None
    teams = [
        PlacedTeam(entry.team, entry.placement, entry.places.low, entry.places.high)
        for entry in sure
        if entry.places is not None
    ]
    return rank_sets(teams, level=track.certainty.level)


def board_page(
    board: Board,
    track: MadeTrack,
    name: str,
    here: str,
    view: View,
    own: str | None,
    behind: EntryDetailsOut | None = None,
) -> Mapping[str, Any]:
    """One board of a track. behind: what stands behind the opened row."""
    found = next(one for one in track.boards if one.head.board == name).out
    source = OneBoard(found, board.made.head.decimals)
    table = table_of(source, found.entries, view, own)
    return _common(board, track, here) | {
        "table": table,
        "one": found,
        "task": board.spec.boards[name].task,
        "task_title": board.spec.tasks[board.spec.boards[name].task].title,
        "opened": _opened(board, track, table.opened, behind),
        "otherwise": _otherwise(found, board.made.head.decimals),
        "notes": list(source.notes),
        "csv": table.view.link(f"{here}/shown.csv", page=1, opened="") + f"&board={name}",
        "compare": _comparison(View(here, track.track), table.compared),
        "warnings": [
            one for one in (track.certainty.warnings if track.certainty else ()) if one.board == name
        ],
    }


def _opened(
    board: Board, track: MadeTrack, entry: Marks | None, behind: EntryDetailsOut | None
) -> OpenedRow | None:
    return None if entry is None else opened_row(board.spec, track, entry, board.made.head.decimals, behind)


def _common(board: Board, track: MadeTrack, here: str) -> dict[str, Any]:
    around, head = board.around, board.made.head
    phase, released = board.spec.phases[head.phase], head.phase in around.released
    return {
        "board": head,
        "tracks": board.made.tracks,
        "spec": board.spec,
        "track": track,
        "around": around,
        "amended": around.amended[:_AMENDED],
        "here": here,
        "api": f"/api/v1/challenges/{head.challenge}/leaderboards/{head.phase}",
        "most_compared": MOST_COMPARED,
        "moved": 0 if around.shown is None else around.shown.moved(track),
        "shares": _shares(track),
        "task_of": {name: one.task for name, one in board.spec.boards.items()},
        "sealed": phase.board == "sealed" and not released,
        "hidden_cases": phase.hidden and not released,
    }


def _shares(track: MadeTrack) -> Mapping[str, str]:
    whole = sum(one.weight for one in track.heads)
    return {one.board: share(one.weight, whole) for one in track.heads}


def _comparison(view: View, compared: Sequence[str]) -> str | None:
    """The page that compares the chosen teams; one alone is compared with nobody."""
    if len(compared) < 2:
        return None
    return (
        View(view.path, view.track, compared=tuple(compared))
        .link(f"{view.path}/comparison")
        .replace("compare=", "team=")
    )


def _cases(board: Board, boards: Sequence[BoardHead]) -> str:
    """How many cases the tasks of a track have together."""
    counts = {board.spec.boards[one.board].task: one.cases or 0 for one in boards}
    return f"{plural(sum(counts.values()), 'case')} in {plural(sum(map(bool, counts.values())), 'task')}"


def _otherwise(found: BoardOut, decimals: int) -> list[tuple[Any, list[Any]]]:
    notes = numbered(footnotes(found))
    return [
        (entry, [value_cell(entry.metrics[metric.name], decimals, notes) for metric in found.metrics])
        for entry in found.otherwise
    ]
