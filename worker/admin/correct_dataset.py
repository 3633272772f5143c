"""`proctor-admin correct-dataset`: another version of the cases, with labels and groups corrected, cases withdrawn."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from contract.datasets import StagedOut
from evaluator.terminal import agreed, say
from worker.admin.api import Api, api
from worker.admin.consignments import made_of_consignment
from worker.admin.context import fail
from worker.admin.datasets import WantedVersion, say_changes
from worker.admin.making import made_of
from worker.admin.options import AsJson, Data, Server
from worker.admin.tables import counted, show_json

app = typer.Typer()
_GROUPS = ("sex", "age", "site", "scanner", "cohort")
Step = Callable[[str, bool], Any]
"""Asks for a version made from the one with this id, with its warnings accepted or not; the answer's JSON."""


@app.command("correct-dataset")
def correct_dataset(
    digest: Annotated[str, typer.Argument(help="The beginning of a version's digest.")],
    challenge: Annotated[str, typer.Option(help="The challenge's name.")],
    why: Annotated[
        str, typer.Option(help="Why; kept, and read by everybody if a phase that has opened is amended.")
    ],
    withdraw: Annotated[list[str] | None, typer.Option(metavar="CASE", help="A case to leave out.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="CASE=VALUE", help="The label of a case.")
    ] = None,
    label_file: Annotated[
        list[str] | None, typer.Option(metavar="CASE=FILE", help="The same as a file, such as a label map.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="CASE:GROUP=VALUE", help=f"A group of a case: {', '.join(_GROUPS)}."),
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="The warnings are known, and right.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Bring it into force, too.")] = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Correct a version of the cases: what comes of it is another one, which is not in force.

    It shows what has changed and what would happen to evaluations; options may be given several times.
    """
    body = _body(withdraw or (), label or (), group or ())
    files = [_file_of(given) for given in label_file or ()]
    if not (body or files):
        fail("Say what to correct: --withdraw, --label, --label-file or --group.")
    with api(server=server, data=data) as here:
        old = WantedVersion(digest, challenge, None, None).found(here)
        own = f"/organize/{challenge}/datasets"
        steps = [_by_form(here, own, {"why": why, **body})] if body else []
        steps += [_by_file(here, own, case, content, why, against=old.id) for case, content in files]
        made = _all(here, challenge, old.id, steps, accept=accept)
        if as_json:
            show_json(made.model_dump(mode="json"))
        else:
            if made.difference is not None:
                say_changes(made.difference, f"Against {old.digest[7:19]}")
            cases = counted(made.cases, "case")
            say(f"{made.phase} {made.task}: {made.digest[7:19]} is {made.state}, {cases}. {made.advice}")
        question = f"Bring it into force now? Then {made.effect.sentence}."
        if made.state != "active" and (yes or (sys.stdin.isatty() and not as_json and agreed(question))):
            here.post(f"/admin/datasets/{made.id}/activate", {"yes": True, "why": why})
            say(f"In force; {made.effect.sentence}.", err=as_json)


def _body(withdraw: Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
    """What is sent of all that is no file; empty where there is nothing."""
    cases: dict[str, dict[str, Any]] = {}
    for given in labels:
        case, value = _pair(given, "--label CASE=VALUE")
        cases.setdefault(case, {"case": case})["label"] = value
    for given in groups:
        place, value = _pair(given, "--group CASE:GROUP=VALUE")
        case, _, name = place.rpartition(":")
        if not case or name not in _GROUPS:
            fail(f"{given!r}: write --group CASE:GROUP=VALUE, with one of {', '.join(_GROUPS)} as the group.")
        cases.setdefault(case, {"case": case})[name] = value or None
    found = {"withdraw": list(withdraw), "cases": list(cases.values())}
    return {name: many for name, many in found.items() if many}


def _pair(given: str, form: str) -> tuple[str, str]:
    case, found, value = given.partition("=")
    if not (case and found):
        fail(f"{given!r}: write {form}.")
    return case, value


def _file_of(given: str) -> tuple[str, bytes]:
    case, path = _pair(given, "--label-file CASE=FILE")
    try:
        return case, Path(path).read_bytes()
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror or error}")


def _by_form(here: Api, own: str, body: dict[str, Any]) -> Step:
    return lambda id_, accept: here.post(f"{own}/{id_}/corrections", {**body, "accept": accept})


def _by_file(here: Api, own: str, case: str, content: bytes, why: str, *, against: str) -> Step:
    return lambda id_, accept: here.send(
        "PUT", f"{own}/{id_}/labels/{case}", content, why=why, accept=accept, against=against
    )


def _all(here: Api, challenge: str, id_: str, steps: Sequence[Step], *, accept: bool) -> StagedOut:
    """What comes of all steps; the versions in between are dropped again, and all of them if one is refused."""
    made: list[StagedOut] = []
    kept: str | None = None
    try:
        for step in steps:
            before = made[-1].id if made else id_
            made.append(
                made_of(
                    lambda accepted, step=step, before=before: made_of_consignment(  # type: ignore[misc]
                        here, challenge, step(before, accepted)
                    ),
                    accept=accept,
                    nothing="Nothing was made",
                )
            )
        kept = made[-1].id
        return made[-1]
    finally:
        for version in made:
            if version.new and version.id != kept:
                here.delete(f"/admin/datasets/{version.id}")
