"""`proctor-admin phase` and `commit-labels`: a phase's dates, and promises about its labels."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from evaluator.terminal import in_line, say
from worker.admin.api import api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, ChallengeArgument, Data, PhaseArgument, Server, Why, Yes
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()

_SPAN = re.compile(r"\+?(\d{1,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@app.command("phase")
def set_dates(
    challenge: ChallengeArgument,
    phase: PhaseArgument,
    open_now: Annotated[bool, typer.Option("--open-now", help="Open it.")] = False,
    close_now: Annotated[bool, typer.Option("--close-now", help="Close it.")] = False,
    opens: Annotated[
        str | None, typer.Option(help="When it opens, such as 2026-06-15T00:00+02:00.", metavar="AT")
    ] = None,
    closes: Annotated[str | None, typer.Option(help="When it closes.", metavar="AT")] = None,
    extend: Annotated[
        str | None, typer.Option(help="How much later it closes: 30m, 12h, 7d or 2w.", metavar="TIME")
    ] = None,
    why: Why = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Say what it would mean, and do nothing.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Open, close, extend or postpone a phase, with a reason that everybody reads.

    It makes another version of the challenge file. A later apply of a file with older dates asks first. For example:
    phase fomo26 validation --extend 7d --why "The server was away for two days."
    """
    if (open_now and opens) or (close_now and closes):
        fail("Say either now or a time.")
    wanted = {
        "opens": "now" if open_now else _moment("--opens", opens),
        "closes": "now" if close_now else _moment("--closes", closes),
        "extend": None if extend is None else _seconds(extend),
    }
    path = f"/organize/{challenge}/phases/{phase}/dates"
    with api(server=server, data=data) as here:
        planned = here.post(f"{path}/plan", wanted)
        if not as_json:
            say(*(in_line(sentence) for sentence in planned["sentences"]))
        if not only_plan:
            if not why:
                fail("This takes --why REASON: everybody reads it. Nothing was changed.")
            make_sure(f"{challenge} {phase}: other dates, because: {why}", yes=yes)
            planned = here.post(path, wanted | {"why": why, "version": planned["plan"]["present"]})
    if as_json:
        show_json(planned)
    elif not only_plan:
        say(f"{challenge} {phase}: done, version {planned['plan']['version']}")


@app.command("commit-labels")
def commit_labels(
    challenge: ChallengeArgument,
    phase: PhaseArgument,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Publish a salted digest of the labels of every task of PHASE, so that a release shows that they stayed.

    The salts stay secret until the leaderboard is released. A digest is there for good: it cannot be taken back.
    """
    make_sure(f"{challenge} {phase}: digests of its labels are published for good.", yes=yes)
    with api(server=server, data=data) as here:
        rows: list[dict[str, Any]] = here.post(f"/organize/{challenge}/phases/{phase}/label-commitments")
    if as_json:
        show_json(rows)
        return
    table = Listing(("task", "committed to", ""))
    for row in rows:
        table.add(row["task"], row["digest"], "" if row["in_force"] else "superseded")
    show(table)


def _moment(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None:
        fail(f"{option} {text!r} is no time with its offset; write it as 2026-06-15T00:00+02:00.")
    return given.isoformat()


def _seconds(text: str) -> int:
    matched = _SPAN.fullmatch(text.strip())
    if matched is None:
        fail(f"--extend {text!r} is no time: give a number and a unit, as 30m, 12h, 7d or 2w.")
    return int(timedelta(**{_UNITS[matched[2]]: int(matched[1])}).total_seconds())
