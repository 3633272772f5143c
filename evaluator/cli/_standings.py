"""Places and the values they come from, as a table per track."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from evaluator.cli._folding import FoldedColumn, Folding
from evaluator.comparison import PlaceWarning
from evaluator.ranking import Standing, Standings, for_nobody
from evaluator.spec import Board, Challenge
from evaluator.terminal import Console, say

_SIDE_BY_SIDE = 20  # letters of a board's metrics that stand in one line of its heading


def print_standings(
    console: Console, spec: Challenge, standings: Standings, warnings: Mapping[str, Sequence[PlaceWarning]]
) -> None:
    """One table per track: place, team, and per board its rank above the values it comes from; warnings below."""
    if not standings.tracks:
        say("There are no scores to rank.")
    for track, ranked in standings.tracks.items():
        console.print(_table(spec, track, ranked))
        if (empty := for_nobody(spec.ranking, spec.boards, ranked)) is not None:
            console.print(Text(empty))
        for warning in warnings.get(track, ()):
            console.print(Text(f"Warning: {warning.sentence()}", style="yellow"))


def _table(spec: Challenge, track: str, standings: Sequence[Standing]) -> Folding:
    prizes = [standing.prize or "" for standing in standings]
    columns = [
        FoldedColumn("#", [_place(standing) for standing in standings]),
        FoldedColumn("team", [_name(standing) for standing in standings], "left"),
        FoldedColumn("overall", [_overall(standing) for standing in standings]),
        *([FoldedColumn("prize", prizes, "left")] if any(prizes) else []),
        *(
            FoldedColumn(_heading(spec, name, board), [_board_cell(standing, name) for standing in standings])
            for name, board in spec.boards.items()
            if any(_scored(standing, name) for standing in standings)
        ),
    ]
    return Folding(
        columns,
        keys=2,
        title=Text.assemble((spec.title, "bold"), f" · {track} track"),
        caption=_caption(standings),
        styles=["italic" if standing.baseline else "" for standing in standings],
    )


def _heading(spec: Challenge, name: str, board: Board) -> Text:
    weight = spec.ranking.weights[name] / sum(spec.ranking.weights.values())
    titles = [metric.title or key for key, metric in board.metrics.items()]
    between = " / " if len(" / ".join(titles)) <= _SIDE_BY_SIDE else " /\n"
    return Text.assemble(f"{name} · {weight:.0%}", ("\n" + between.join(titles), "dim"))


def _place(standing: Standing) -> Text:
    place = "–" if standing.placement is None else str(standing.placement)
    return Text(place, style="bold green" if standing.placement == 1 else "bold")


def _name(standing: Standing) -> Text:
    marks = (" (baseline)" if standing.baseline else "") + ("" if standing.eligible else " †")
    return Text(standing.team + marks)


def _overall(standing: Standing) -> Text:
    return Text("–" if standing.overall is None else f"{standing.overall:.2f}", style="bold")


def _board_cell(standing: Standing, board: str) -> Text:
    place = standing.task_ranks[board]
    values = " / ".join("–" if value is None else f"{value:.3f}" for value in standing.values[board].values())
    return Text.assemble("–" if place is None else f"{place:g}", ("\n" + values, "dim"))


def _scored(standing: Standing, board: str) -> bool:
    return any(value is not None for value in standing.values[board].values())


def _caption(standings: Sequence[Standing]) -> str | None:
    return "† not eligible for prizes" if any(not standing.eligible for standing in standings) else None
