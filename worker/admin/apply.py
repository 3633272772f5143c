"""`proctor-admin apply`: a challenge file becomes the present version of its challenge."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from contract.challenges import Change, Plan
from contract.problems import ErrorCode
from evaluator.spec import SpecError, SpecProblem, load_challenge
from evaluator.terminal import Console
from server.plans.service import apply_planned, plan
from server.settings import Settings
from worker.admin.api import Refused, api
from worker.admin.context import ACTOR, fail, make_sure, reason_of, settings_of, work
from worker.admin.options import Data, Reason, Server

app = typer.Typer()
_OF_PROBLEM = ("line", "field", "message")


@app.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="The challenge file.")],
    overlay: Annotated[Path | None, typer.Option(help="A site's settings, merged over the file.")] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", "--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Do not ask: also where something disappears, opens or closes, or scores leave their boards.",
        ),
    ] = False,
    why: Reason = None,
    server: Server = None,
    data: Data = None,
) -> None:
    """Make FILE the present version of its challenge, and show what changes. The same file again changes nothing.

    It asks first where a phase, task, board or track disappears, a phase opens, closes or its dates move back, what
    is hidden would be shown, or scored evaluations would leave their leaderboards.
    """
    console = Console(soft_wrap=True)
    if server is not None:
        said = _elsewhere(server, file, overlay, yes=yes, only_plan=only_plan, why=why, show=console.print)
    else:
        said = run(
            settings_of(data), file, overlay, yes=yes, only_plan=only_plan, why=why, show=console.print
        )
    console.print(said)


def run(
    settings: Settings,
    file: Path,
    overlay: Path | None,
    *,
    yes: bool = False,
    only_plan: bool = False,
    why: str | None = None,
    show: Callable[[str], object] = lambda text: None,
) -> str:
    """Applies a challenge file and returns the sentence that says what came of it; ends the command where it cannot.

    show: gets what changes, before anything is asked or done.
    """
    reason = reason_of(why)
    try:
        spec = load_challenge(file, overlay, longest_case=settings.longest_case_seconds)
    except SpecError as error:
        fail(str(error))
    with work(settings) as session:
        planned = plan(session, spec, settings=settings)
        for line in _lines(planned):
            show(line)
        if only_plan:
            _show_questions(planned, show)
            return f"{spec.challenge}: nothing was changed; the file is version {spec.digest}"
        if planned.questions:
            make_sure(_asked(planned), yes=yes)
        changed = apply_planned(session, spec, planned, actor=ACTOR, confirmed=True, why=reason)
    return _said(planned, changed=changed)


def _elsewhere(
    server: str,
    file: Path,
    overlay: Path | None,
    *,
    yes: bool,
    only_plan: bool,
    why: str | None,
    show: Callable[[str], object],
) -> str:
    """The same on another server, which reads the file itself: it knows its own metrics and limits."""
    reason = reason_of(why)
    body = {"file": _text(file), "overlay": None if overlay is None else _text(overlay)}
    with api(server=server, data=None) as there:
        try:
            planned = Plan.model_validate(there.post("/admin/challenges/plan", body))
        except Refused as refused:
            fail(_named(refused, file, overlay))
        for line in _lines(planned):
            show(line)
        if only_plan:
            _show_questions(planned, show)
            return f"{planned.challenge}: nothing was changed; the file is version {planned.version}"
        if planned.questions:
            make_sure(_asked(planned), yes=yes)
        done = there.post("/admin/challenges", body | {"confirmed": True, "why": reason})
    return _said(planned, changed=done["changed"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read as text: {error}")


def _named(refused: Refused, file: Path, overlay: Path | None) -> str:
    """What is wrong, with the names that the files have here."""
    names = {"challenge.yaml": file.name, "overlay.yaml": overlay.name if overlay else ""}
    problems = [
        SpecProblem(names.get(problem["file"], problem["file"]), *(problem[part] for part in _OF_PROBLEM))
        for problem in refused.told.get("problems", ())
        if refused.code == ErrorCode.CHALLENGE_FILE
    ]
    return "\n".join(map(str, problems)) or str(refused)


def _asked(planned: Plan) -> str:
    return "\n".join(f"{planned.challenge}: {question}" for question in planned.questions)


def _said(planned: Plan, *, changed: bool) -> str:
    return f"{planned.challenge}: {'applied' if changed else 'unchanged'}, version {planned.version}"


def _show_questions(planned: Plan, show: Callable[[str], object]) -> None:
    for question in planned.questions:
        show(f"{planned.challenge}: {question}")
    if planned.questions:
        show("It would ask about these first, or want --yes.")


def _lines(planned: Plan) -> list[str]:
    if planned.is_unchanged:
        return []
    against = f"compared with the present version {planned.present}" if planned.present else "a new challenge"
    return [
        f"{planned.challenge}: {against}",
        *(f"  {_line(change)}" for change in planned.changes),
        *(f"{planned.challenge}: {note}" for note in planned.notes),
    ]


def _line(change: Change) -> str:
    words = f"  ({change.words})" if change.words else ""
    if change.field.count(".") == 1 and change.field.startswith(("phases.", "tasks.", "boards.")):
        if change.old is None:
            return f"{change.field}: added{words}"
        if change.new is None:
            return f"{change.field}: removed{words}"
    if change.field.count(".") == 0 and change.old is None:
        return f"{change.field}: {change.new}{words}"
    return f"{change.field}: {change.old or 'none'} → {change.new or 'none'}{words}"
