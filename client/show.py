"""What the command prints: tables, progress and problems."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from client.models import (
    Board,
    Column,
    Entry,
    Evaluation,
    Leaderboard,
    Quota,
    Score,
    Standing,
    Submission,
    Track,
)
from client.uploads import Advance

_COLOURS = {
    "SCORED": "green",
    "REJECTED": "red",
    "ERRORED": "magenta",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
}


@contextmanager
def transfer(console: Console, what: str, total: int | None) -> Iterator[Advance]:
    """A bar with the bytes, the rate and the time left; without `total` the bytes and the rate only."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda position: progress.update(task, completed=position)


@contextmanager
def waiting(console: Console, what: str) -> Iterator[None]:
    """A sign that something is waited for."""
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), console=console
    ) as progress:
        progress.add_task(what)
        yield


def submission_table(submission: Submission) -> Table:
    """The state of every evaluation of a submission."""
    table = Table(title=f"Submission {submission.id} · {submission.track} · {submission.phase}")
    for column in ("task", "status", "progress", "verdicts", "note"):
        table.add_column(column, overflow="fold")
    for one in submission.evaluations:
        table.add_row(
            one.task, _status(one), _bar(one), escape(_verdicts(one)), escape(one.reason or one.note or "")
        )
    return table


def _status(evaluation: Evaluation) -> str:
    colour = _COLOURS.get(evaluation.status, "white")
    code = f" {escape(evaluation.reason_code)}" if evaluation.reason_code else ""
    return f"[{colour}]{escape(evaluation.status)}[/]{code}"


def _bar(evaluation: Evaluation) -> str:
    done = max(0, min(10, evaluation.progress))
    return "█" * done + "░" * (10 - done) + f" {done * 10:3d} %"


def _verdicts(evaluation: Evaluation) -> str:
    return "\n".join(f"{count} × {code}" for code, count in sorted(evaluation.verdicts.items()))


def scores_table(submission: Submission) -> Table | None:
    """The scores of a submission with their intervals; None where there is none yet."""
    table = Table(title=f"{submission.track} · {submission.phase} · {submission.created_at:%Y-%m-%d %H:%M}")
    for column in ("board", "metric", "value", "95 % interval"):
        table.add_column(column, justify="right" if column in ("value", "95 % interval") else "left")
    for evaluation in submission.evaluations:
        for board, metrics in evaluation.scores.items():
            for metric, score in metrics.items():
                table.add_row(board, metric, *_score(score))
    return table if table.row_count else None


def _score(score: Score) -> tuple[str, str]:
    if score.value is None:
        return "–", escape(score.reason or "")
    between = "" if score.low is None or score.high is None else f"{score.low:g} – {score.high:g}"
    return f"{score.value:g}", between


def quota_table(rows: Iterable[Quota]) -> Table:
    """What is left of the attempts."""
    table = Table(title="Valid attempts")
    for column in ("phase", "track", "task", "spent", "running", "left"):
        table.add_column(column, justify="right" if column in ("spent", "running", "left") else "left")
    for one in rows:
        left = "no limit" if one.left is None else f"{one.left} of {one.valid}"
        table.add_row(one.phase, one.track, one.task, str(one.spent), str(one.reserved), left)
    return table


def leaderboard_tables(board: Leaderboard) -> Iterator[Table]:
    """The unified leaderboard of each track, then its boards."""
    for track in board.tracks:
        yield _unified(board, track)
        for one in track.boards:
            if one.entries:
                yield _board(track, one, board.decimals)


def _unified(board: Leaderboard, track: Track) -> Table:
    table = _titled(f"{board.title} · {board.phase_title} · track {track.track}")
    table.add_column("place", justify="right")
    table.add_column("team", overflow="fold")
    table.add_column("overall", justify="right")
    for one in track.boards:
        table.add_column(one.board, justify="right")
    for row in track.unified:
        ranks = [_number(row.board_ranks.get(one.board), 2) for one in track.boards]
        table.add_row(_place(row), _team(row), _number(row.overall, 3), *ranks)
    return table


def _board(track: Track, board: Board, decimals: int) -> Table:
    table = _titled(f"{board.title} ({board.board}) · track {track.track}")
    table.add_column("rank", justify="right")
    table.add_column("team", overflow="fold")
    for column in board.metrics:
        table.add_column(column.title, justify="right")
    for entry in board.entries:
        cells = [_cell(entry, column, decimals) for column in board.metrics]
        table.add_row("–" if entry.baseline else _number(entry.rank, 2), _team(entry), *cells)
    return table


def _titled(title: str) -> Table:
    """A table at least as wide as its title, so that the title stays on one line."""
    return Table(title=escape(title), title_justify="left", min_width=len(title))


def _cell(entry: Entry, column: Column, decimals: int) -> str:
    value = entry.metrics.get(column.name)
    return "–" if value is None or value.value is None else f"{value.value:.{decimals}f}"


def _place(row: Standing) -> str:
    return "–" if row.placement is None else str(row.placement)


def _team(row: Standing | Entry) -> str:
    return escape(row.team) + (" [dim](baseline)[/]" if row.baseline else "")


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}".rstrip("0").rstrip(".")
