"""`python -m evaluator check`: whether one output file is valid."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from evaluator.cli._ending import ended
from evaluator.outputs import CheckResult, InputUnreadable, check_output
from evaluator.spec import Challenge, SpecError, Task, load_challenge
from evaluator.terminal import Console, say_json


def check_command(
    challenge: Annotated[Path, typer.Option("--challenge", help="The challenge file.")],
    task: Annotated[str, typer.Option("--task", help="The task the output was made for, such as task2.")],
    output: Annotated[Path, typer.Option("--output", help="The output file.")],
    inputs: Annotated[
        Path,
        typer.Option("--inputs", help="Directory of the case's inputs under their canonical names."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on a terminal too.")] = False,
    overlay: Annotated[Path | None, typer.Option("--overlay", help="A site's file merged over it.")] = None,
) -> None:
    """Check one output file.

    Prints one JSON object with valid, check, message and warnings; on a terminal a sentence instead.

    Exit codes: 0 valid, 1 invalid, 2 the call, the challenge file or an input is wrong.
    """
    try:
        asked = _task(load_challenge(challenge, overlay), task)
        result = check_output(asked, output, _inputs(asked, inputs))
    except (SpecError, InputUnreadable, typer.BadParameter, OSError) as error:
        raise ended(error, 2) from None
    if sys.stdout.isatty() and not as_json:
        _say(result, Console())
    else:
        say_json(_answer(result), indent=None)
    raise typer.Exit(0 if result.valid else 1)


def _task(challenge: Challenge, name: str) -> Task:
    if name in challenge.tasks:
        return challenge.tasks[name]
    if name in challenge.boards:
        task = challenge.boards[name].task
        raise typer.BadParameter(f"{name} is a board of {task}: check {task}")
    raise typer.BadParameter(f"there is no task {name!r}; the tasks are {', '.join(challenge.tasks)}")


def _inputs(task: Task, directory: Path) -> dict[str, Path]:
    """The input files that are there; which of them a case must have is for whoever runs it."""
    if not directory.is_dir():
        raise typer.BadParameter(f"{directory}: there is no such directory")
    files = {scan.key: directory / scan.file for scan in task.all_inputs}
    present = {key: file for key, file in files.items() if file.exists()}
    if not present and task.kind.shaped:
        names = ", ".join(file.name for file in files.values())
        raise typer.BadParameter(f"{directory}: holds none of {names}")
    return present


def _say(result: CheckResult, console: Console) -> None:
    said = _answer(result)
    verdict = ("valid", "bold green") if result.valid else (f"invalid: {result.check}", "bold red")
    console.print(Text.assemble(verdict, "  ", str(said["message"])))
    for warning in result.warnings:
        console.print(Text(f"warning: {warning}", "yellow"))


def _answer(result: CheckResult) -> dict[str, object]:
    # Whoever runs this owns the file, so what was found may be named.
    message = f"{result.message} ({result.detail})" if result.detail else result.message
    return {
        "valid": result.valid,
        "check": result.check,
        "message": message,
        "warnings": list(result.warnings),
    }
