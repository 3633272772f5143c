"""`proctor-admin webhooks` and `mailing`: programs that are told, and addresses for a mail program of one's own."""

import mailbox
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Literal

import typer

from contract.admin import TeamRow
from contract.webhooks import ACTS, WebhookOut
from evaluator.terminal import in_line, say
from worker.admin.api import api
from worker.admin.context import fail
from worker.admin.options import AsJson, ChallengeArgument, Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()


@app.command("webhooks")
def webhooks(
    act: Annotated[str, typer.Argument(help=f"What to do: {', '.join(ACTS)}.")] = "list",
    which: Annotated[
        str, typer.Argument(help="The address to add, or a webhook's id.", metavar="URL|ID")
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only this kind, such as disk.low; as often as needed.", metavar="KIND"),
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="Of its organizers, and not of the admins.")] = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Have what organizers or admins are told sent to a program, signed; each with what became of its last message."""
    if act not in ACTS or (act != "list" and not which):
        fail(f"Say what to do: {', '.join(ACTS)}; all but list take an address or an id.")
    where = f"{f'/organize/{challenge}' if challenge else '/admin'}/webhooks"
    with api(server=server, data=data) as here:
        if act == "add":
            made = here.post(where, {"url": which, "kinds": kind or []})
            say(f"Secret, shown this once: {made['secret']}", err=True)
        elif act == "remove":
            here.delete(f"{where}/{which}")
        elif act != "list":
            secret = here.post(f"{where}/{which}", {"act": act})["secret"]
            if secret:
                say(f"New secret, shown this once: {secret}", err=True)
        found = here.get(where)
    if as_json:
        show_json(found)
    else:
        show(_table([WebhookOut.model_validate(row) for row in found]), otherwise="There is no webhook.")


def _table(rows: list[WebhookOut]) -> Listing:
    table = Listing(
        ("id", "address", "kinds", "last message (UTC)", "", "note"), prose=frozenset(("address", "note"))
    )
    for row in rows:
        failing = f"takes nothing since {moment(row.failing_since)}" if row.failing_since else ""
        last = row.last
        table.add(
            row.id,
            row.url,
            ", ".join(row.kinds) or "all",
            moment(last.at) if last else "",
            last.status if last else "",
            row.disabled_why or (last.error if last and last.error else failing),
        )
    return table


@app.command("mailing")
def mailing(
    challenge: ChallengeArgument,
    to: Annotated[
        Literal["captains", "members"], typer.Option(help="Captains alone, or every member.")
    ] = "captains",
    text: Annotated[
        Path | None,
        typer.Option(help="A mail to write for each: its first line is the subject.", exists=True),
    ] = None,
    mbox: Annotated[Path | None, typer.Option(help="Where the mails are written.")] = None,
    server: Server = None,
    data: Data = None,
) -> None:
    """Print the addresses of a challenge's teams, or write a mail to each, where the server itself sends none."""
    if (text is None) != (mbox is None):
        fail("Give --text and --mbox together: the mail, and where it is written for each address.")
    with api(server=server, data=data) as here:
        teams = here.listed("/admin/teams", TeamRow, challenge=challenge).items
    addresses = sorted(
        {member.email for team in teams for member in team.members if member.is_captain or to == "members"}
    )
    if text is None or mbox is None:
        for address in addresses:
            say(in_line(address))
        return
    if mbox.exists():
        fail(f"{mbox} is there already. Name another file, or remove it.")
    subject, _, content = text.read_text(encoding="utf-8").strip().partition("\n")
    box = mailbox.mbox(mbox)
    for address in addresses:
        mail = EmailMessage()
        mail["To"], mail["Subject"] = address, " ".join(subject.split())
        mail.set_content(content.strip() + "\n")
        box.add(mail)
    box.close()
    say(f"{mbox} holds a mail for each of {len(addresses)}.")
