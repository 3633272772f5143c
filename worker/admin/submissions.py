"""`proctor-admin submissions`: what was submitted, and how each of it stands."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from contract.admin import EvaluationRow
from contract.statuses import EvaluationStanding, EvaluationStatus
from evaluator.terminal import say
from worker.admin.api import api
from worker.admin.context import fail
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
_HEXADECIMAL = re.compile(r"[\s0-9a-fA-F-]*")
_SPAN = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@app.command("submissions")
def list_submissions(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only those whose id, or submission's id, begins so.")
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="Only of this challenge.")] = None,
    phase: Annotated[str | None, typer.Option(help="Only of this phase.")] = None,
    track: Annotated[str | None, typer.Option(help="Only of this track.")] = None,
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    team: Annotated[str | None, typer.Option(help="Only of this team; capitals do not matter.")] = None,
    status: Annotated[EvaluationStatus | None, typer.Option(help="Only those that stand so.")] = None,
    standing: Annotated[
        EvaluationStanding | None,
        typer.Option(help="Only those that count, or that a re-evaluation made or replaced."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those since then: 2d, 6h, 30m, or a date such as 2026-12-01.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/evaluations answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What was submitted, a row per task, newest first."""
    if id_ is not None and challenge is None and not _HEXADECIMAL.fullmatch(id_):
        fail(f"{id_!r} is no id. All of a challenge: 'proctor-admin submissions --challenge {id_}'.")
    which = {"challenge": challenge, "phase": phase, "track": track, "task": task, "team": team}
    wanted = which | {"status": status, "since": since_given(since), "id": id_, "standing": standing}
    with api(server=server, data=data) as here:
        page = here.listed("/admin/evaluations", EvaluationRow, limit, **wanted)
    if as_json:
        show_json([row.model_dump(mode="json") for row in page.items])
        return
    show(evaluations_table(page.items), otherwise="Nothing was submitted that this asks for.")
    if page.next is not None:
        say(f"The newest {limit} are shown; --limit shows more.", err=True)


def since_given(text: str | None) -> str | None:
    """The moment that `--since` means, as the API reads it."""
    return None if text is None else moment_given(text, datetime.now(UTC)).isoformat()


def moment_given(text: str, at: datetime) -> datetime:
    """The moment that is meant: so long before `at`, or a date in UTC."""
    if span := _SPAN.fullmatch(text):
        return at - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        fail(
            f"--since {text!r} is no time: give 2d, 6h, 30m, or a date such as 2026-12-01 or 2026-12-01T18:00."
        )
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def evaluations_table(rows: Sequence[EvaluationRow]) -> Listing:
    """One row per evaluation."""
    heads = ("evaluation", "team", "of", "status", "since (UTC)")
    table = Listing(heads)
    for row in rows:
        of = f"{row.challenge} {row.phase} {row.track} {row.task}"
        table.add(row.id, row.team, of, _status(row), moment(row.created_at))
    return table


def _status(row: EvaluationRow) -> str:
    beside = "" if row.standing == EvaluationStanding.IN_FORCE else f" ({row.standing})"
    return f"{row.status} {row.reason_code}{beside}" if row.reason_code else f"{row.status}{beside}"
