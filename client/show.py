"""What the command prints of submissions and attempts."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from client.models import Evaluation, Quota, Score, Submission

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
    notes = {
        score.note
        for evaluation in submission.evaluations
        for metrics in evaluation.scores.values()
        for score in metrics.values()
        if score.note
    }
    if notes:
        table.caption, table.caption_justify = "* " + escape("\n* ".join(sorted(notes))), "left"
    return table if table.row_count else None


def _score(score: Score) -> tuple[str, str]:
    if score.value is None:
        return "–", escape(score.reason or "")
    between = "" if score.low is None or score.high is None else f"{score.low:g} – {score.high:g}"
    return f"{score.value:g}", between + (" *" if score.note else "")


def quota_table(rows: Iterable[Quota]) -> Table:
    """What is left of the attempts."""
    table = Table(title="Valid attempts")
    for column in ("phase", "track", "task", "spent", "running", "left"):
        table.add_column(column, justify="right" if column in ("spent", "running", "left") else "left")
    for one in rows:
        left = "no limit" if one.left is None else f"{one.left} of {one.valid}"
        table.add_row(one.phase, one.track, one.task, str(one.spent), str(one.reserved), left)
    return table
