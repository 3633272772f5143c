"""What the command prints of submissions and attempts."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from client.terminal import is_plain
from contract.intervals import named
from contract.notices import MATRIX, NoticeKind, NoticeSettingOut
from contract.statuses import EvaluationStatus
from contract.submissions import AttemptMove, EvaluationOut, QuotaOut, ScoreOut, SourceOut, SubmissionOut
from contract.teams import TeamOut
from evaluator.terminal import in_line

_COLOURS: dict[str, str] = {
    EvaluationStatus.SCORED: "green",
    EvaluationStatus.REJECTED: "red",
    EvaluationStatus.ERRORED: "magenta",
    EvaluationStatus.CANCELLED: "yellow",
    EvaluationStatus.RUNNING: "cyan",
}

LATE = (
    "What happens on hidden cases shows late and in steps: every 15 seconds at first, up to 8 minutes apart in a "
    "long evaluation."
)


def submission_table(submission: SubmissionOut) -> RenderableType:
    """The state of every evaluation of a submission."""
    table = _table()
    for column in ("task", "status", "cases and verdicts"):
        table.add_column(column, overflow="fold")
    for evaluation in submission.evaluations:
        table.add_row(evaluation.task, _status(evaluation), _said(evaluation))
    title = f"Submission {submission.id} · {submission.track} · {submission.phase}"
    notes = [] if submission.source is None else [f"made of {source_words(submission.source)}"]
    return _titled(title, table, [*notes, *([LATE] if shows_late(submission) else ())])


def source_words(source: SourceOut) -> str:
    """The commit that a submission was made of, as people read it."""
    trees = {
        True: "its tree was clean",
        False: "its tree was not clean",
        None: "whether its tree was clean is not known",
    }
    return f"commit {in_line(source.commit)[:12]}, {trees[source.clean]}"


def shows_late(submission: SubmissionOut) -> bool:
    """Whether there is more to its state, or will be, than is shown now."""
    return submission.hidden and not submission.ended


def status_word(evaluation: EvaluationOut) -> str:
    """A status as people read it: in capitals, as the documentation writes it."""
    return evaluation.status.upper()


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0)) if is_plain() else Table()


def _titled(title: str, table: Table, notes: Iterable[str] = ()) -> RenderableType:
    """The table between its title and its notes, which may be wider than it is."""
    below = [Text("\n".join(f"* {note}" for note in notes), style="dim italic")] if notes else []
    return Group(Text(title, style="italic"), table, *below)


def _status(evaluation: EvaluationOut) -> Text:
    below = evaluation.reason_code if evaluation.ended else _bar(evaluation)
    shown = Text(status_word(evaluation), style=_COLOURS.get(evaluation.status, "white"), end="")
    return Text.assemble(shown, f"\n{below}" if below else "")


def _bar(evaluation: EvaluationOut) -> str:
    done = max(0, min(10, evaluation.progress))
    return "█" * done + "░" * (10 - done) + f" {done * 10:3d} %"


def _said(evaluation: EvaluationOut) -> str:
    """A count per verdict, each on its own line so that no code is cut, and what is to be said beside them."""
    counts = [f"{count} × {code}" for code, count in sorted(evaluation.verdicts.items())]
    counts = counts or ([evaluation.failure] if evaluation.failure else [])
    return "\n".join([*counts, *notes_of(evaluation)])


def notes_of(evaluation: EvaluationOut) -> list[str]:
    """What is to be known of an evaluation beside its status."""
    if evaluation.reason:
        return [evaluation.reason]
    waits = evaluation.queue.said if evaluation.queue and evaluation.queue.least_minutes is not None else None
    return [text for text in (evaluation.note, waits) if text]


def scores_table(submission: SubmissionOut) -> RenderableType | None:
    """The scores of a submission with their intervals; None where there is none yet."""
    table = _table()
    for column in ("board", "metric", "value", "interval"):
        table.add_column(column, justify="right" if column in ("value", "interval") else "left")
    for evaluation in submission.evaluations:
        for board, metrics in evaluation.scores.items():
            for metric, score in metrics.items():
                table.add_row(board, in_line(score.title or metric), *_score(score))
    notes = {
        score.note
        for evaluation in submission.evaluations
        for metrics in evaluation.scores.values()
        for score in metrics.values()
        if score.note
    }
    title = f"{submission.track} · {submission.phase} · {submission.created_at:%Y-%m-%d %H:%M} UTC"
    return _titled(title, table, [*_intervals(submission), *sorted(notes)]) if table.row_count else None


def _intervals(submission: SubmissionOut) -> list[str]:
    """What the intervals of each board are, each sentence once."""
    boards: dict[str, list[str]] = {}
    for evaluation in submission.evaluations:
        for board, bootstrap in evaluation.bootstraps.items():
            boards.setdefault(bootstrap.sentence, []).append(board)
    return [f"interval of {', '.join(named)}: {sentence}" for sentence, named in boards.items()]


def _score(score: ScoreOut) -> tuple[str, str]:
    if score.value is None:
        return "–", score.reason or ""
    between = "" if score.low is None or score.high is None else f"{score.low:g} – {score.high:g}"
    between += f", {named(score.interval_method)}" if between and score.interval_method else ""
    return f"{score.value:g}", between + (" *" if score.note else "")


def standing_lines(team: TeamOut) -> list[str]:
    """What the organizers have decided about a team, a line each; nothing where it takes part like every other."""
    said = {
        "It can neither upload nor submit until the organizers have approved it.": team.waits,
        f"Disqualified by the organizers: {team.disqualified}": team.disqualified is not None,
        "It is on no leaderboard: the organizers have hidden it.": team.hidden,
        "It is a baseline, shown without a rank.": team.is_baseline,
        "It may win no prize.": not team.eligible,
        f"On leaderboards: {team.disclaimer}": team.disclaimer is not None,
    }
    return [in_line(line) for line, holds in said.items() if holds]


def grant_lines(rows: Iterable[QuotaOut]) -> list[str]:
    """What the organizers granted of valid attempts, and why."""
    told = [
        f"{row.phase}, {row.track}, {row.task}: {grant.valid:+d} by the organizers "
        f"on {grant.created_at:%Y-%m-%d}: {grant.why}"
        for row in rows
        for grant in row.grants
    ]
    return [in_line(line) for line in told]


def attempts_table(moves: Iterable[AttemptMove]) -> RenderableType:
    """The moves of attempts."""
    table = _table()
    for column in ("when", "phase", "track", "task", "change", "left", "what"):
        number = column in ("change", "left")
        table.add_column(
            column, justify="right" if number else "left", overflow="fold", no_wrap=column != "what"
        )
    for move in moves:
        table.add_row(
            "" if move.at is None else f"{move.at:%Y-%m-%d %H:%M}",
            move.phase,
            move.track,
            move.task,
            f"{move.change:+d}" if move.change else "",
            "no limit" if move.balance is None else str(move.balance),
            f"{move.kind}: {move.why}" if move.why else move.kind,
        )
    return _titled("Attempts, newest first; times are UTC", table)


def notice_kinds_table(kinds: Iterable[NoticeSettingOut]) -> RenderableType:
    """Which kinds of notices come by mail; whom a kind is for, as far as this version knows it."""
    table = _table()
    table.add_column("kind", no_wrap=True)
    table.add_column("by mail", no_wrap=True)
    table.add_column("it tells that", overflow="fold")
    for row in kinds:
        known = MATRIX.get(NoticeKind(row.kind)) if row.kind in list(NoticeKind) else None
        mailed = "yes" if row.mail else "no"
        table.add_row(
            in_line(row.kind),
            mailed if row.usual else f"{mailed}, as you said",
            in_line(f"{row.tells} ({known.whom})" if known else row.tells),
        )
    return table


def quota_table(rows: Iterable[QuotaOut]) -> RenderableType:
    """What is left of the attempts."""
    table = _table()
    for column in ("phase", "track", "task", "spent", "running", "left", "may be rejected"):
        table.add_column(column, justify="left" if column in ("phase", "track", "task") else "right")
    for row in rows:
        left = "no limit" if row.left is None else f"{row.left} of {row.valid}"
        table.add_row(row.phase, row.track, row.task, str(row.spent), str(row.reserved), left, _may_fail(row))
    title = "Valid attempts, and evaluations of all tracks together that may still be rejected this week"
    return _titled(title, table)


def _may_fail(quota: QuotaOut) -> str:
    if quota.rejected_left is None:
        return "no limit"
    said = f"{quota.rejected_left} of {quota.rejected_per_week}"
    at = quota.rejected_next_at
    return f"{said}, next {at:%Y-%m-%d %H:%M} UTC" if at else said
