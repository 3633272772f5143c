"""`proctor-admin agreements` and `publish-agreement`: documents that people accept, and who did."""

from pathlib import Path
from typing import Annotated, Any

import typer

from contract.agreements import AcceptanceOut, AgreementPlan, AgreementRow, Before
from evaluator.terminal import say
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
Challenge = Annotated[str, typer.Argument(help="The challenge's name.")]
_PAGE = 200


@app.command("agreements")
def show_agreements(
    challenge: Challenge,
    of: Annotated[
        str | None, typer.Option(help="Who accepted the version whose digest begins so, and when.")
    ] = None,
    lacking: Annotated[
        bool, typer.Option("--lacking", help="With --of: who in a team has yet to accept it, instead.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="With --of: the acceptances as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As the API answers.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Every version of every document of a challenge, how many people accepted it, and with --of who did and when."""
    with api(server=server, data=data) as here:
        versions = here.get(f"/organize/{challenge}/agreements")
        if of is None:
            rows = [AgreementRow.model_validate(version) for version in versions]
            shown, listing, otherwise = versions, _versions(rows), f"{challenge} has no documents."
        else:
            where = f"/organize/{challenge}/agreements/{_digest(versions, of)}/acceptances"
            if as_csv:
                say(here.text(f"{where}.csv").rstrip("\n"))
                return
            shown = _every(here, where, lacking)
            people = [AcceptanceOut.model_validate(acceptance) for acceptance in shown]
            listing, otherwise = _people(people), "Nobody."
    if as_json:
        show_json(shown)
    else:
        show(listing, otherwise=otherwise)


def _digest(versions: list[dict[str, Any]], beginning: str) -> str:
    begins = beginning.removeprefix("sha256:")
    found: list[str] = [
        version["digest"]
        for version in versions
        if version["digest"].removeprefix("sha256:").startswith(begins)
    ]
    if len(found) != 1 or not begins:
        fail(
            f"{len(found)} versions have a digest that begins so. 'proctor-admin agreements CHALLENGE' lists them."
        )
    return found[0]


def _every(here: Api, where: str, lacking: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := here.get(where, lacking=lacking, limit=_PAGE, after=found[-1]["id"] if found else None):
        found += page
    return found


def _versions(rows: list[AgreementRow]) -> Listing:
    heads = (
        "document",
        "version",
        "title",
        "before",
        "published (UTC)",
        "by",
        "accepted",
        "lacking",
        "digest",
    )
    table = Listing(heads, numbers=frozenset(("version", "accepted", "lacking")), prose=frozenset(("title",)))
    for row in rows:
        table.add(
            row.document,
            f"{row.number}{'' if row.present else ' (earlier)'}",
            row.title,
            row.before or "",
            moment(row.created_at),
            row.published_by,
            f"{row.accepted:,}",
            f"{row.lacking:,}" if row.present and row.before else "",
            row.digest,
        )
    return table


def _people(people: list[AcceptanceOut]) -> Listing:
    table = Listing(("person", "name", "team", "accepted (UTC)", "id"))
    for person in people:
        table.add(
            person.email or "(account closed)",
            person.name or "",
            person.team or "",
            moment(person.accepted_at, seconds=True),
            person.user or "",
        )
    return table


@app.command("publish-agreement")
def publish_agreement(
    challenge: Challenge,
    file: Annotated[
        Path, typer.Argument(help="Its text, plain or Markdown, in UTF-8: up to 200,000 characters.")
    ],
    title: Annotated[str, typer.Option(help="As people read it, such as 'Data use agreement'.")],
    document: Annotated[
        str, typer.Option(help="Of which document it is a version, such as data-use.")
    ] = "rules",
    before: Annotated[
        Before | None,
        typer.Option(help="What it has to be accepted for; if left out it is only shown."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Whoever accepted an earlier version is asked again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Publish a version of a document; it says first who has to accept it, and asks.

    The text of the present version again changes its title, --before and --again, and is no new version.
    """
    body = {
        "document": document,
        "title": title,
        "text": _text(file),
        "before": before,
        "again": again,
    }
    with api(server=server, data=data) as here:
        planned = AgreementPlan.model_validate(here.post(f"/organize/{challenge}/agreements/plan", body))
        if not planned.changes:
            say(planned.sentence)
            return
        make_sure(planned.sentence, yes=yes)
        here.post(f"/organize/{challenge}/agreements", body)
    say(f"Published: version {planned.number} of {document}, {planned.digest}")


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        fail(f"{file} is no text in UTF-8: byte {error.start} is not. Save it as UTF-8.")
