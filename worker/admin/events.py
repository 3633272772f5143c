"""`proctor-admin events`: who changed what, when and why."""

import csv
import io
from collections.abc import Sequence
from typing import Annotated

import typer

from contract.events import EventOut, Subject
from evaluator.terminal import say
from server.words import for_spreadsheet
from worker.admin.api import api
from worker.admin.options import Data, Server
from worker.admin.submissions import since_given
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()


@app.command("events")
def list_events(
    id_: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Only of what has an id that begins so.")
    ] = None,
    subject: Annotated[Subject | None, typer.Option(help="Only of things of this kind.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only by: user:<id>, worker:<name>, proctor-admin, platform.")
    ] = None,
    new: Annotated[str | None, typer.Option(help="Only changes to this status, such as errored.")] = None,
    code: Annotated[str | None, typer.Option(help="Only with this code, such as worker_lost.")] = None,
    what: Annotated[str | None, typer.Option(help="Only this act, such as viewed.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those since then: 2d, 6h, 30m, or a date such as 2026-12-01.")
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="Only of this challenge and what is in it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As GET /admin/events answers.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same, as CSV.")] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Who changed what, when and why, newest first."""
    asked = {"subject": subject, "id": id_, "actor": actor, "new": new, "code": code, "what": what}
    asked |= {"challenge": challenge}
    with api(server=server, data=data) as here:
        page = here.listed("/admin/events", EventOut, limit, **asked, since=since_given(since))
    if as_json:
        show_json([event.model_dump(mode="json") for event in page.items])
        return
    if as_csv:
        say(_csv(page.items).rstrip("\n"))
        return
    listing = Listing(("at (UTC)", "of", "id", "what", "by", "why"), prose=frozenset(("what", "why")))
    for event in page.items:
        at, of = moment(event.created_at, seconds=True), event.subject.replace("_", " ")
        listing.add(
            at, of, str(event.subject_id), sentence(event), event.actor_name or event.actor, event.why or ""
        )
    show(listing, otherwise="Nothing happened that this asks for.")
    if page.next is not None:
        say(f"The newest {limit} are shown; --limit shows more.", err=True)


def _csv(events: Sequence[EventOut]) -> str:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(EventOut.model_fields), lineterminator="\n")
    writer.writeheader()
    for event in events:
        texts = {name: for_spreadsheet(getattr(event, name) or "") for name in ("actor", "what", "why")}
        writer.writerow(event.model_dump(mode="json") | texts)
    return table.getvalue()


def sentence(event: EventOut) -> str:
    """What an event says in a line, such as "running → parked (claim 2, worker_lost)"."""
    if event.new is None:
        return event.what or ""
    change = event.new if event.old is None else f"{event.old} → {event.new}"
    claim = None if event.claim_no is None else f"claim {event.claim_no}"
    details = ", ".join(detail for detail in (claim, event.code) if detail)
    return f"{change} ({details})" if details else change
