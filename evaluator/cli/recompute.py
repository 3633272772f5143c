"""`python -m evaluator recompute`: a bundle of results checked against itself, and its boards computed again."""

from pathlib import Path
from typing import Annotated

import typer

from evaluator.bundle import BundleError, CheckedBoard, Recomputation, recompute, unpacked
from evaluator.cli._ending import ended
from evaluator.cli._folding import FoldedColumn, Folding
from evaluator.terminal import Console, say, say_json

_SHOWN = 40


def recompute_command(
    bundle: Annotated[
        Path, typer.Argument(exists=True, help="The folder or ZIP file that `proctor-admin bundle` wrote.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compute the boards of a bundle again, from nothing but what is in it, and compare to the last digit.

    Exit codes: 0 everything agrees, 1 something differs, and it says what, 2 it is no bundle, or a metric that its
    boards rank is not installed here.
    """
    try:
        with unpacked(bundle) as folder:
            found = recompute(folder)
    except (BundleError, OSError) as error:
        raise ended(error, 2) from None
    if as_json:
        say_json(_told(found))
    else:
        _print(found)
    if found.differences:
        raise typer.Exit(1)


def _told(found: Recomputation) -> dict[str, object]:
    return {
        "agrees": not found.differences,
        "differences": list(found.differences),
        "rounded": found.rounded,
        "notes": list(found.notes),
        "files": found.files,
        "receipts": found.receipts,
        "boards": [
            {
                "track": board.track,
                "board": board.board,
                "entries": board.entries,
                "values": board.values[1],
                "values_made_again": board.values[0],
                "values_signed": board.signed,
                "intervals": board.intervals[1],
                "intervals_made_again": board.intervals[0],
            }
            for board in found.boards
        ],
    }


def _print(found: Recomputation) -> None:
    boards = found.boards
    if boards:
        Console().print(_table(boards))
    for note in found.notes:
        say(note)
    if found.rounded:
        say(f"{found.rounded} numbers agree to nine digits and not to the last one, as on another processor.")
    for difference in found.differences[:_SHOWN]:
        say(f"differs: {difference}", err=True)
    if len(found.differences) > _SHOWN:
        say(f"… and {len(found.differences) - _SHOWN} more differences", err=True)
    if found.differences:
        say(f"{len(found.differences)} differences: this bundle is not what it says.", err=True)
    else:
        digits = "" if found.rounded else " to the last digit"
        say(
            f"Everything agrees{digits}: {found.files:,} files, {found.receipts:,} receipts, every place, rank, "
            "interval of places and prize."
        )


def _table(boards: tuple[CheckedBoard, ...]) -> Folding:
    columns = [
        FoldedColumn("track", [board.track for board in boards], "left"),
        FoldedColumn("board", [board.board for board in boards], "left"),
        FoldedColumn("entries\nranked again", [f"{board.entries}" for board in boards]),
        FoldedColumn("values made\nagain", [_of(board.values) for board in boards]),
        FoldedColumn("values as\nsigned", [f"{board.signed} of {board.values[1]}" for board in boards]),
        FoldedColumn("intervals\nmade again", [_of(board.intervals) for board in boards]),
    ]
    caption = (
        "Made again: values from those of single cases, intervals from replicates and influence values. What is not "
        "needs labels and outputs, or seeds, which are not here; it was compared with the receipts."
    )
    return Folding(columns, keys=2, caption=caption)


def _of(counts: list[int]) -> str:
    return f"{counts[0]} of {counts[1]}"
