"""`proctor-admin check`: is a challenge ready to open, and what to do where it is not."""

from collections.abc import Sequence
from typing import Annotated

import typer

from contract.phases import CheckState
from contract.readiness import ChallengeReadiness, ReadinessCheck
from evaluator.terminal import say
from worker.admin.api import api
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, counted, show, show_json

app = typer.Typer()


@app.command("check")
def check_challenge(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str | None, typer.Option(help="Only this phase, and what concerns all.")] = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Do not read labels, which may take minutes.")
    ] = False,
    each: Annotated[bool, typer.Option("--all", help="A line for each phase and task.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /organize/{slug}/check answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Whether CHALLENGE is ready to open: dates, cases, workers, disk, keys, rules; exit code 1 on errors.

    What was found alike of several phases and tasks is one line.
    """
    with api(server=server, data=data) as here:
        answer = here.get(f"/organize/{challenge}/check", phase=phase, labels=not no_labels)
    found = ChallengeReadiness.model_validate(answer)
    if as_json:
        show_json(answer)
    else:
        show(_table(found, each=each))
        say(f"{challenge}: {counted(found.errors, 'error')}, {counted(found.warnings, 'warning')}")
    if found.errors:
        raise typer.Exit(1)


def _table(found: ChallengeReadiness, *, each: bool) -> Listing:
    """A line per check, or per checks that found the same; of all that is well only how much it is."""
    table = Listing(("state", "what", "where", "found"), prose=frozenset(("found",)))
    groups: dict[object, list[ReadinessCheck]] = {}
    for at, check in enumerate(found.checks):
        same = check.found if check.state is not CheckState.OK else None
        groups.setdefault(at if each else (check.state, check.code, same), []).append(check)
    for checks in groups.values():
        first = checks[0]
        texts = {check.found for check in checks}, {check.todo for check in checks}
        said = first.found if len(texts[0]) == 1 else "well; --all says what was found of each"
        todo = first.todo if len(texts[1]) == 1 else f"{first.todo} The others alike: --all shows each."
        table.add(first.state, first.code, _where(checks), f"{said}\n{todo}".strip())
    return table


def _where(checks: Sequence[ReadinessCheck]) -> str:
    """The phase and task of one check, and how many there are of several."""
    phases, tasks = (
        list(dict.fromkeys(filter(None, names)))
        for names in ([check.phase for check in checks], [check.task for check in checks])
    )
    if len(checks) == 1:
        return " ".join([*phases, *tasks])
    of_task = tasks if len(tasks) == 1 else [f"{len(checks)} tasks"][: len(tasks)]
    of_phase = phases if len(phases) == 1 else [f"{len(phases)} phases"][: len(phases)]
    return " of ".join([*of_task, *of_phase])
