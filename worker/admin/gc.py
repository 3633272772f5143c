"""`proctor-admin gc`: deleting for good what a challenge does not need any more, with a plan and a certificate."""

from typing import Annotated, Any

import typer

from contract.challenges import ChallengeOut
from contract.retention import EVER, CertificateOut, DeletionKind, DeletionPlan, Sweeping
from evaluator.terminal import say
from server.disk import gib
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, Data, Server, Why, Yes
from worker.admin.tables import Listing, moment, show, show_json

app = typer.Typer()
_KINDS = ", ".join(DeletionKind)


@app.command("gc")
def gc(
    challenge: Annotated[
        str | None, typer.Argument(help="Its name; without, what nothing refers to.")
    ] = None,
    kinds: Annotated[
        str,
        typer.Option(
            help=f"Of {_KINDS}; outputs and images go only once the challenge is over.", metavar="KIND,…"
        ),
    ] = ",".join(EVER),
    days: Annotated[int, typer.Option(min=0, help="Only what ended so many days ago.")] = 90,
    why: Why = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing and do not ask.")] = False,
    certificates: Annotated[
        bool, typer.Option("--certificates", help="Delete nothing; show what was.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Say what would be deleted for good and what it frees, then ask, and print a signed certificate of it.

    What was asked is what is deleted: if anything has changed meanwhile, nothing is.
    """
    with api(server=server, data=data) as here:
        if challenge is None:
            _sweep(here, dry_run=dry_run or certificates, yes=yes, as_json=as_json)
            return
        path = f"/organize/{challenge}/gc"
        if certificates:
            _show_certificates(here.get(f"{path}/certificates"), as_json=as_json)
            return
        rules: dict[str, Any] = {"kinds": [kind.strip() for kind in kinds.split(",")], "days": days}
        told = here.get(path, **rules)
        plan = DeletionPlan.model_validate(told)
        if as_json and (dry_run or not yes):
            show_json(told)
        elif not as_json:
            _show_plan(plan)
        if dry_run or not plan.items:
            return
        if why is None:
            fail("Say why with --why: the certificate has it. Nothing was deleted.")
        make_sure(f"{gib(plan.bytes)} of {challenge} are deleted for good. No backup is asked.", yes=yes)
        made = here.post(path, rules | {"seen": plan.digest, "why": why})
    show_json(made) if as_json else _show_certificates([made], as_json=False)


def _sweep(here: Api, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    found = here.get("/admin/gc")
    swept = Sweeping.model_validate(found)
    told = f"{swept.blobs:,} blobs and {swept.files:,} other files that nothing refers to, {gib(swept.bytes)}"
    if not dry_run and (swept.blobs or swept.files):
        make_sure(f"{told}, are removed now; score workers do the same every hour.", yes=yes)
        found = here.post("/admin/gc")
        told = f"removed: {Sweeping.model_validate(found).bytes:,} bytes"
    if as_json:
        show_json(found)
        return
    say(told)
    names = ", ".join(ChallengeOut.model_validate(row).slug for row in here.get("/challenges"))
    say(f"Of a challenge: proctor-admin gc CHALLENGE --dry-run ({names or 'there is none'})")


def _show_plan(plan: DeletionPlan) -> None:
    table = Listing(("what", "how many", "frees", "afterwards"), frozenset(("how many", "frees")))
    for item in plan.items:
        table.add(item.kind, f"{item.count:,}", gib(item.bytes), item.lost)
    show(table, otherwise=f"Nothing of {plan.challenge} can be deleted by these rules.")
    for sentence in plan.kept:
        say(f"Left out: {sentence}")


def _show_certificates(told: list[Any], *, as_json: bool) -> None:
    if as_json:
        show_json(told)
        return
    table = Listing(("certificate", "when (UTC)", "by", "deleted", "why"))
    for row in (CertificateOut.model_validate(found) for found in told):
        what = ", ".join(f"{item['count']:,} {item['kind']}" for item in row.statement["deleted"])
        signed = row.id if row.signature else f"{row.id} (not through)"
        table.add(signed, moment(row.created_at), row.statement["by"], what, row.statement["why"])
    show(table, otherwise="Nothing was deleted for good yet.")
