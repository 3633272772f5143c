"""`proctor-admin reevaluate`: evaluations are made anew beside those that count."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from contract.reevaluations import USUAL_PRIORITY, ReevaluationMode, ReevaluationScope
from contract.statuses import ReevaluationState
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.tables import show_json

app = typer.Typer()
_EVERY = 2.0


_FILTERS = sorted(
    set(ReevaluationScope.model_fields)
    - {"phases", "tracks", "tasks", "teams", "since", "until", "ran_since", "ran_until"}
)
"""Filters of a scope that have no option of their own."""


def _only(what: str) -> Any:
    return typer.Option(help=f"Only {what}; may be given several times.")


@app.command("reevaluate")
def reevaluate(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    mode: Annotated[
        ReevaluationMode, typer.Option(help="Score what is stored, run what is missing, or run all.")
    ],
    why: Annotated[str, typer.Option(help="Why; it is kept.")],
    phase: Annotated[list[str] | None, _only("of this phase")] = None,
    track: Annotated[list[str] | None, _only("of this track")] = None,
    task: Annotated[list[str] | None, _only("of this task")] = None,
    team: Annotated[list[str] | None, _only("of this team")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILTER=VALUE",
            help=f"A further filter, may be given several times: {', '.join(_FILTERS)}.",
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only submitted since, as 2026-12-01T18:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Only submitted before.")] = None,
    ran_since: Annotated[str | None, typer.Option(help="Only with a case that ended since.")] = None,
    ran_until: Annotated[str | None, typer.Option(help="Only with a case that ended before.")] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="Score on these cases (id, or how a digest begins), which come into force with it."
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Score under this file, which is applied with it.")
    ] = None,
    overlay: Annotated[Path | None, typer.Option(help="Merged over the file.")] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Run each so many times.")] = 1,
    priority: Annotated[
        int, typer.Option(help="In the queue; 0 is what participants have.")
    ] = USUAL_PRIORITY,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is ready.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As the API answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Make evaluations anew beside those that count: scored again, or run again. No board moves until it is applied.

    It says what it would make, what it costs and what is left out, and asks before it starts.
    """
    scope = {"phases": phase, "tracks": track, "tasks": task, "teams": team, "since": since, "until": until}
    scope |= {"ran_since": ran_since, "ran_until": ran_until}
    wanted = {
        "mode": mode,
        "why": why,
        "scope": {**_filters(where or ()), **{name: values for name, values in scope.items() if values}},
        "repetitions": repetitions,
        "priority": priority,
        "file": None if file is None else _text(file),
        "overlay": None if overlay is None else _text(overlay),
    }
    with api(server=server, data=data) as here:
        wanted["datasets"] = [_dataset(here, challenge, one) for one in on or ()]
        _make(here, f"/organize/{challenge}/reevaluations", wanted, wait=wait, yes=yes, as_json=as_json)


def _filters(given: Sequence[str]) -> dict[str, list[str]]:
    """FILTER=VALUE, each value after the others of its filter."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in _FILTERS or not value:
            fail(f"--where {text!r}: write FILTER=VALUE, with one of {', '.join(_FILTERS)} as the filter.")
        found.setdefault(name, []).append(value)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")


def _dataset(here: Api, challenge: str, given: str) -> str:
    """The id of the version of the cases whose id this is, or whose digest begins so."""
    try:
        return str(UUID(given))
    except ValueError:
        pass
    digits = given.lower().removeprefix("sha256:")
    found = [
        row
        for row in here.get(f"/admin/challenges/{challenge}/datasets")
        if digits and row["digest"].startswith(f"sha256:{digits}")
    ]
    if len(found) != 1:
        several = "Several versions" if found else "No version"
        fail(
            f"{several} of {challenge}'s cases: --on {given!r} is to be the beginning of one digest; "
            f"'proctor-admin datasets {challenge}' lists them."
        )
    return str(found[0]["id"])


def _make(here: Api, path: str, wanted: dict[str, Any], *, wait: bool, yes: bool, as_json: bool) -> None:
    drafted = here.post(path, wanted)
    own = f"{path}/{drafted['id']}"
    plan = drafted["plan"]
    if not as_json:
        said = [plan["sentence"], *(left_out["sentence"] for left_out in plan["excluded"])]
        say(*said, "Nothing that participants see changes before it is applied.")
    later = f"Its draft stays; 'proctor-admin start-reevaluation {drafted['id']}' starts it later."
    asked = [*plan.get("questions", ()), f"Start re-evaluation {drafted['id']}? {later}"]
    make_sure("\n".join(asked), yes=yes)
    row = here.post(f"{own}/start")
    if wait:
        row = _waited(here, own)
    if as_json:
        show_json(row)
    else:
        say(f"{row['id']}: {row['state']}; 'proctor-admin reevaluation {row['id']}' shows what it came to.")


def _waited(here: Api, path: str) -> dict[str, Any]:
    """What it is once it runs no more; each change is told on the way."""
    told = ""
    while (row := dict(here.get(path)))["state"] == ReevaluationState.RUNNING:
        counts = ", ".join(f"{count} {status}" for status, count in sorted(row["statuses"].items()))
        if counts != told:
            say(counts, err=True)
            told = counts
        time.sleep(_EVERY)
    return row
