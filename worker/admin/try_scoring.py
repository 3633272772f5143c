"""`proctor-admin try-scoring`: what scoring makes of outputs of which that is known beforehand."""

import time
from typing import Annotated, Any

import typer

from contract.reference_submissions import ReferenceJudgement, ReferenceState, ReferenceSubmissionOut
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()
_LOOK_EVERY = 1.0
_REFUSED = "REJECTED"
_ENDED = (ReferenceState.DONE, ReferenceState.FAILED)


@app.command("try-scoring")
def try_scoring(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str | None, typer.Option(help="Only this phase.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Show what was found last, and try nothing.")] = False,
    minutes: Annotated[int, typer.Option(help="Wait for score workers so long.", min=0, max=1440)] = 60,
    as_json: Annotated[
        bool, typer.Option("--json", help="As GET /organize/{slug}/reference-submissions answers.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Have perfect, constant, random, lacking and forbidden outputs scored; exit code 1 unless all is as expected.

    They are made of the labels, go through the checks and the scoring of every other output, are on no board, and
    spend nothing. Do it before you open, and after every change of labels or metrics.
    """
    path = f"/organize/{challenge}/reference-submissions"
    with api(server=server, data=data) as here:
        if not last:
            here.post(path, {"phase": phase, "task": task})
        answer = _waited(here, path, {"phase": phase, "task": task}, 0 if last else 60 * minutes)
    found = [ReferenceSubmissionOut.model_validate(row) for row in answer]
    if as_json:
        show_json(answer)
    else:
        for row in found:
            if row.judgements:
                show(_table(row))
            say(_sentence(row))
        if not found:
            say(f"{challenge}: nothing was tried yet.")
    if not all(row.as_expected for row in found):
        raise typer.Exit(1)


def _waited(here: Api, path: str, which: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """What came of them once all have ended, or as they stand when the time is over."""
    until = time.monotonic() + seconds
    while True:
        answer: list[dict[str, Any]] = here.get(path, **which)
        waiting = sum(row["state"] not in _ENDED for row in answer)
        if not waiting:
            return answer
        if time.monotonic() >= until:
            if not seconds:
                return answer
            fail(
                f"{waiting} of {len(answer)} still wait for a score worker: is one running? --last shows them later."
            )
        time.sleep(_LOOK_EVERY)


def _table(row: ReferenceSubmissionOut) -> Listing:
    heads = ("outputs", "what", "expected", "found", "")
    table = Listing(heads, prose=frozenset(("found",)), title=f"{row.phase} {row.task}")
    for judgement in row.judgements:
        if judgement.board or not judgement.as_expected or judgement.expected == _REFUSED:
            table.add(*_cells(judgement))
    return table


def _cells(judgement: ReferenceJudgement) -> tuple[str, ...]:
    what = f"{judgement.board} {judgement.metric}" if judgement.board else "as a whole"
    mark = "ok" if judgement.as_expected else "error"
    return judgement.variant, what, judgement.expected, judgement.found, mark


def _sentence(row: ReferenceSubmissionOut) -> str:
    name = f"{row.phase} {row.task}"
    if row.state is ReferenceState.FAILED:
        return f"{name}: could not be tried: {row.trouble}"
    if row.state is not ReferenceState.DONE:
        return f"{name}: {row.state}"
    off = sum(not judgement.as_expected for judgement in row.judgements)
    said = "all as expected" if not off else f"{off} of {len(row.judgements)} not as expected"
    return f"{name}: {said}" + ("" if row.in_force else ", of cases or a file that are no longer in force")
