"""`python -m evaluator rank`: scores in, places out."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.ranking import RankingError, Standing, Standings, rank, read_rows
from evaluator.spec import Board, Challenge, SpecError, load_challenge

_FILE_WIDTH = 200  # a table in a file or pipe is not squeezed into 80 columns


def rank_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    scores: Annotated[
        Path,
        typer.Option(
            "--scores",
            exists=True,
            dir_okay=False,
            help="CSV: team,track,task,metric,value[,is_baseline]; task is the board.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Rank scores within each track.

    Exit codes: 0 ranked, 1 the scores cannot be ranked, 2 the call or the challenge file is wrong.
    """
    try:
        spec = load_challenge(challenge, overlay)
        standings = rank(spec.ranking, spec.boards, read_rows(scores, spec.tracks))
    except SpecError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from None
    except RankingError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(standings.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_standings(spec, standings)


def print_standings(spec: Challenge, standings: Standings, console: Console | None = None) -> None:
    """One table per track: place, team, and per board its rank above the values it comes from."""
    if not standings.tracks:
        typer.echo("There are no scores to rank.")
    wide = console or Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    for track, found in standings.tracks.items():
        wide.print(_table(spec, track, found))


def _table(spec: Challenge, track: str, standings: Sequence[Standing]) -> Table:
    title = Text.assemble((spec.title, "bold"), f" · {track} track")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, caption_justify="left")
    table.caption = _caption(standings)
    table.add_column("#", justify="right")
    table.add_column("team")
    shown = {
        name: board for name, board in spec.boards.items() if any(_scored(one, name) for one in standings)
    }
    for name, board in shown.items():
        weight = spec.ranking.weights[name] / sum(spec.ranking.weights.values())
        heading = Text.assemble(f"{name} · {weight:.0%}", ("\n" + " / ".join(board.metrics), "dim"))
        table.add_column(heading, justify="right")
    table.add_column("overall", justify="right")
    for one in standings:
        table.add_row(*_cells(one, shown), style="italic" if one.baseline else None)
    return table


def _cells(one: Standing, boards: Mapping[str, Board]) -> list[Text]:
    place = "–" if one.placement is None else str(one.placement)
    name = one.team + (" (baseline)" if one.baseline else "") + ("" if one.eligible else " †")
    overall = "–" if one.overall is None else f"{one.overall:.2f}"
    return [
        Text(place, style="bold green" if one.placement == 1 else "bold"),
        Text(name),
        *(_board_cell(one, board) for board in boards),
        Text(overall, style="bold"),
    ]


def _board_cell(one: Standing, board: str) -> Text:
    place = one.task_ranks[board]
    values = " / ".join("–" if value is None else f"{value:.3f}" for value in one.values[board].values())
    return Text.assemble("–" if place is None else f"{place:g}", ("\n" + values, "dim"))


def _scored(one: Standing, board: str) -> bool:
    return any(value is not None for value in one.values[board].values())


def _caption(standings: Sequence[Standing]) -> str | None:
    return "† not eligible for prizes" if any(not one.eligible for one in standings) else None
