"""What the command prints of submissions, attempts and leaderboards: tables for any width of terminal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.table import Table

from client.models import Board, Entry, Evaluation, Leaderboard, Quota, Score, Standing, Submission, Track

_Row = tuple[str, str, list[str]]  # place, team, and a value per column

_OVERALL = "overall: weighted mean of the board ranks, lower is better."
_IN_BRACKETS = " In brackets: no scored submission."
_COLOURS = {
    "SCORED": "green",
    "REJECTED": "red",
    "ERRORED": "magenta",
    "CANCELLED": "yellow",
    "RUNNING": "cyan",
}


def submission_table(submission: Submission) -> Table:
    """The state of every evaluation of a submission."""
    table = Table(title=f"Submission {submission.id} · {submission.track} · {submission.phase}")
    for column in ("task", "status", "cases and verdicts"):
        table.add_column(column, overflow="fold")
    for one in submission.evaluations:
        table.add_row(one.task, _status(one), escape(_said(one)))
    return table


def _status(evaluation: Evaluation) -> str:
    colour = _COLOURS.get(evaluation.status, "white")
    below = evaluation.reason_code if evaluation.ended else _bar(evaluation)
    return f"[{colour}]{escape(evaluation.status)}[/]" + (f"\n{escape(below)}" if below else "")


def _bar(evaluation: Evaluation) -> str:
    done = max(0, min(10, evaluation.progress))
    return "█" * done + "░" * (10 - done) + f" {done * 10:3d} %"


def _said(evaluation: Evaluation) -> str:
    """A count per verdict, each on its own line so that no code is cut, and what is to be said beside them."""
    counts = [f"{count} × {code}" for code, count in sorted(evaluation.verdicts.items())]
    note = evaluation.reason or evaluation.note
    return "\n".join([*counts, *([note] if note else [])])


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


def leaderboard_tables(board: Leaderboard) -> Iterator[RenderableType]:
    """The unified leaderboard of each track, then its boards.

    A rank in brackets is of a board without a scored submission.
    """
    for track in board.tracks:
        yield _unified(board, track)
        for one in track.boards:
            if one.entries:
                yield _board(track, one, board.decimals)


@dataclass(frozen=True)
class _Ranking:
    """A ranking with a column per head; where these do not fit, every team's values stand below its name."""

    title: str
    first: str
    heads: Sequence[str]
    rows: Sequence[_Row]
    note: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What rich prints."""
        wide = self._wide()
        fits = console.measure(wide, options=options.update(width=10_000)).maximum <= options.max_width
        table = wide if fits else self._narrow()
        table.min_width = min(len(self.title), options.max_width)  # the title stays on one line if it can
        if self.note:
            table.caption, table.caption_justify = f"{self.note}\n", "left"
        yield table

    def _wide(self) -> Table:
        table = _titled(self.title, self.first)
        for head in self.heads:
            table.add_column(escape(head), justify="right", no_wrap=True)
        for place, team, values in self.rows:
            table.add_row(place, team, *values)
        return table

    def _narrow(self) -> Table:
        table = _titled(self.title, self.first)
        for place, team, values in self.rows:
            pairs = [f"{escape(head)} [b]{value}[/]" for head, value in zip(self.heads, values, strict=True)]
            table.add_row(place, Group(team, Columns(pairs, padding=(0, 2))))
        return table


def _unified(board: Leaderboard, track: Track) -> _Ranking:
    heads = ["overall", *(one.board for one in track.boards)]
    rows = [
        (
            _number(row.placement, 0),
            _team(row),
            [_number(row.overall, 3), *(_board_rank(row, one.board) for one in track.boards)],
        )
        for row in track.unified
    ]
    title = f"{board.title} · {board.phase_title} · track {track.track}"
    brackets = any(row.missing and not row.baseline for row in track.unified)
    return _Ranking(title, "place", heads, rows, _OVERALL + (_IN_BRACKETS if brackets else ""))


def _board_rank(row: Standing, board: str) -> str:
    rank = _number(row.board_ranks.get(board), 2)
    return f"({rank})" if board in row.missing and not row.baseline else rank


def _board(track: Track, board: Board, decimals: int) -> _Ranking:
    rows = [
        (
            "–" if entry.baseline else _number(entry.rank, 2),
            _team(entry),
            [_value(entry, column.name, decimals) for column in board.metrics],
        )
        for entry in board.entries
    ]
    heads = [column.title for column in board.metrics]
    return _Ranking(f"{board.title} ({board.board}) · track {track.track}", "rank", heads, rows)


def _titled(title: str, first: str) -> Table:
    table = Table(
        title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    table.add_column(first, justify="right", no_wrap=True)
    table.add_column("team", overflow="fold")
    return table


def _value(entry: Entry, metric: str, decimals: int) -> str:
    found = entry.metrics.get(metric)
    return "–" if found is None or found.value is None else f"{found.value:.{decimals}f}"


def _team(row: Standing | Entry) -> str:
    return escape(row.team) + (" [dim](baseline)[/]" if row.baseline else "")


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
