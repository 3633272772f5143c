"""`proctor-admin reevaluations` and what is done with one: start it, look at it, apply it, revert it, cancel it."""

from typing import Annotated, Any

import typer

from contract.changes import Shifts
from contract.statuses import ReevaluationState
from evaluator.terminal import say
from worker.admin.api import Api, Refused, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.shifts import show_shifts
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()
One = Annotated[str, typer.Argument(metavar="ID", help="A re-evaluation's id, or how it begins or ends.")]
Why = Annotated[str, typer.Option(help="Why; it is kept.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="As the API answers.")]
_MOST = 100
_COMPARED = ReevaluationState.RUNNING, ReevaluationState.READY
"""What was exchanged shows no difference any more: then and now are the other way round."""
_NEXT = {
    ReevaluationState.DRAFT: "To start it: proctor-admin start-reevaluation {id}",
    ReevaluationState.READY: "To apply it: proctor-admin apply-reevaluation {id}",
    ReevaluationState.APPLIED: "To take it back: proctor-admin revert-reevaluation {id} --why REASON",
}


@app.command("reevaluations")
def list_reevaluations(
    challenge: Annotated[str | None, typer.Argument(help="Only of this challenge.")] = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Re-evaluations, the newest first: what they are for, where they stand, and what became of their evaluations."""
    with api(server=server, data=data) as here:
        rows = (
            _of(here, challenge)
            if challenge
            else [row for slug in _challenges(here) for row in _mine(here, slug)]
        )
    if as_json:
        show_json(rows)
        return
    table = Listing(("id", "challenge", "state", "mode", "evaluations", "why"), prose=frozenset({"why"}))
    for row in rows:
        table.add(row["id"], row["challenge"], row["state"], row["mode"], _counts(row), row["why"])
    show(table, otherwise="Nothing was re-evaluated.")


def _of(here: Api, challenge: str) -> list[dict[str, Any]]:
    return list(here.get(f"/organize/{challenge}/reevaluations", limit=_MOST))


def _challenges(here: Api) -> list[str]:
    return [challenge["slug"] for challenge in here.get("/challenges")]


def _mine(here: Api, challenge: str) -> list[dict[str, Any]]:
    """Those of a challenge that one organizes; none of another's."""
    try:
        return _of(here, challenge)
    except Refused as refused:
        if refused.code == "organizers_only":
            return []
        raise


def _counts(row: dict[str, Any]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(row["statuses"].items()))


def _path(here: Api, prefix: str) -> str:
    """The address of the one whose id begins or ends so; ids of one minute begin alike."""
    given = prefix.strip().lower()
    found = [
        f"/organize/{challenge}/reevaluations/{row['id']}"
        for challenge in _challenges(here)
        for row in _mine(here, challenge)
        if given and (row["id"].startswith(given) or row["id"].endswith(given))
    ]
    if len(found) != 1:
        several = "Several re-evaluations have" if found else "No re-evaluation has"
        fail(
            f"{several} an id that begins or ends with {prefix!r}; 'proctor-admin reevaluations' lists them."
        )
    return found[0]


@app.command("reevaluation")
def show_reevaluation(
    one: One,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Values, ranks, places and prizes that would change, as CSV.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """What a re-evaluation would make, or once it is ready what applying it would change."""
    with api(server=server, data=data) as here:
        path = _path(here, one)
        if as_csv:
            say(here.text(f"{path}/preview.csv").rstrip("\n"))
            return
        row, preview = here.get(path), here.get(f"{path}/preview")
    if as_json:
        show_json({**row, "preview": preview})
        return
    say(f"{row['id']} · {row['challenge']} · {row['mode']} · {row['state']}", row["why"])
    if row["statuses"]:
        say(_counts(row))
    if row["plan"] is not None:
        made = (row["plan"]["sentence"],) if row["state"] == ReevaluationState.DRAFT else ()
        say(*made, *(left_out["sentence"] for left_out in row["plan"]["excluded"]))
    if preview["pairs"] and row["state"] in _COMPARED:
        _show_preview(preview)
    if (next_step := _NEXT.get(row["state"])) is not None:
        say(next_step.format(id=row["id"]))


def _show_preview(preview: dict[str, Any]) -> None:
    say(*preview["sentences"])
    tables = (
        _matrix("evaluations", preview["statuses"]),
        _matrix("cases", preview["verdicts"]),
        _unstable(preview["spreads"]),
    )
    for table in tables:
        if table.rows:
            show(table)
    show_shifts(Shifts.model_validate(preview["boards"]))
    for told in preview["told"]:
        say(f"{told['team']} will be told:", *told["sentences"])


def _matrix(of: str, counts: list[dict[str, Any]]) -> Listing:
    table = Listing(("then", "now", of), numbers=frozenset({of}))
    for count in counts:
        table.add(count["old"] or "none", count["new"] or "none", f"{count['count']:,}")
    return table


def _unstable(spreads: list[dict[str, Any]]) -> Listing:
    heads = ("evaluation", "team", "task", "cases", "that differ")
    table = Listing(heads, numbers=frozenset({"cases", "that differ"}), title="Not deterministic:")
    for spread in spreads:
        if not spread["deterministic"]:
            cells = spread["evaluation"], spread["team"], f"{spread['phase']} {spread['task']}"
            table.add(*cells, str(spread["cases"]), str(len(spread["differing"])))
    return table


@app.command("start-reevaluation")
def start_reevaluation(one: One, yes: Yes = False, server: Server = None, data: Data = None) -> None:
    """Start a re-evaluation that is a draft; it says what it would make and asks first."""
    with api(server=server, data=data) as here:
        path = _path(here, one)
        row = here.get(path)
        if row["state"] == ReevaluationState.DRAFT and row["plan"] is not None:
            make_sure("\n".join([*row["plan"].get("questions", ()), row["plan"]["sentence"]]), yes=yes)
        row = here.post(f"{path}/start")
    say(f"{row['id']}: {row['state']}; 'proctor-admin reevaluation {row['id']}' shows what it came to.")


@app.command("apply-reevaluation")
def apply_reevaluation(
    one: One,
    why: Annotated[str | None, typer.Option(help="Why; everybody reads it.")] = None,
    yes: Yes = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Bring what a re-evaluation found into force, all at once; it says what changes and asks first."""
    with api(server=server, data=data) as here:
        path = _path(here, one)
        state, preview = here.get(path)["state"], here.get(f"{path}/preview")
        if state == ReevaluationState.READY:  # what else is not applied, and the server says why
            _show_preview(preview)
            late = f" Evaluations that came late and would be missing: {len(preview['late'])}."
            make_sure(f"All of this comes into force at once.{late if preview['late'] else ''}", yes=yes)
        applied = here.post(f"{path}/apply", {"digest": preview["digest"], "why": why})
    say(f"Applied: {applied['changed']} evaluations changed places.")


@app.command("revert-reevaluation")
def revert_reevaluation(
    one: One, why: Why, yes: Yes = False, server: Server = None, data: Data = None
) -> None:
    """Bring back into force what counted before a re-evaluation was applied; it asks first, and is final."""
    with api(server=server, data=data) as here:
        path = _path(here, one)
        make_sure(
            "What counted before counts again, all at once, and this cannot be applied a second time.",
            yes=yes,
        )
        say(*here.post(f"{path}/revert", {"why": why})["sentences"])


@app.command("cancel-reevaluation")
def cancel_reevaluation(
    one: One, why: Why, yes: Yes = False, server: Server = None, data: Data = None
) -> None:
    """Give up a re-evaluation before it is applied; what of it has not ended is cancelled."""
    with api(server=server, data=data) as here:
        path = _path(here, one)
        make_sure("It is given up for good; nothing that counts changes.", yes=yes)
        row = here.post(f"{path}/cancel", {"why": why})
    say(f"{row['id']}: {row['state']}")
