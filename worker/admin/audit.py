"""`proctor-admin audit`: whether the event log is what was sealed, and the head of its chain."""

from enum import StrEnum
from typing import Annotated

import typer

from contract.audit import AuditOut, HeadOut
from evaluator.terminal import say
from server.words import counted
from worker.admin.api import api
from worker.admin.options import AsJson, Data, Server
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()


class _Act(StrEnum):
    VERIFY = "verify"
    HEAD = "head"


@app.command("audit")
def audit(
    act: Annotated[_Act, typer.Argument(metavar="verify|head", help="What to do.")] = _Act.VERIFY,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="HEAD", help="Only what follows this head, which is taken for right."),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option(metavar="HEAD", help="A head that was told, as by a release; as often as you like."),
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Whether the event log was changed since it was sealed; exit code 1 if it was.

    `verify` computes the chain over it anew and names the first broken places. `head` prints its end, NUMBER:HASH: kept
    elsewhere and given to `verify --anchor`, it proves that nothing before it was changed, whoever had the database.
    """
    with api(server=server, data=data) as here:
        if act is _Act.HEAD:
            head = here.get("/admin/audit/head")
        else:
            head, found = None, here.get("/admin/audit", anchor=anchor, **{"from": since})
    if head is not None:
        show_json(head) if as_json else say(HeadOut.model_validate(head).text)
        return
    answer = AuditOut.model_validate(found)
    if as_json:
        show_json(found)
    else:
        _show(answer, told=len(anchor or ()) + (since is not None))
    if not answer.sound:
        raise typer.Exit(1)


def _show(found: AuditOut, *, told: int) -> None:
    waiting = f"; not sealed yet: {counted(found.unsealed, 'event', 'events')}" if found.unsealed else ""
    links = counted(found.checked, "link", "links")
    if found.sound:
        heads = (
            f"; {counted(told, 'head', 'heads')} that you gave {'is' if told == 1 else 'are'} in it"
            if told
            else ""
        )
        say(f"Sound: {links} computed anew{heads}{waiting}")
    else:
        say(f"Broken in {counted(found.broken, 'place', 'places')}; {links} computed anew{waiting}")
        table = Listing(("link", "", "found"), numbers=frozenset({"link"}), prose=frozenset({"found"}))
        for place in found.places:
            link = "" if place.seq is None else f"{place.seq:,}"
            table.add(link, place.damage.replace("_", " "), place.told)
        show(table)
        say(
            "Nothing mends a chain: keep this. 'proctor-admin events ID' says what stands there now, a backup that is "
            "restored elsewhere what stood there."
        )
    sealed = "" if found.head.at is None else f", sealed {moment(found.head.at, seconds=True)} UTC"
    say(f"Head {found.head.text}{sealed}")
