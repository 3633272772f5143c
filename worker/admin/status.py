"""`proctor-admin status`: the installation on one screen."""

from collections.abc import Iterator

import typer
from rich.text import Text

from contract.installation import InstallationOut, PhaseStatus
from evaluator.terminal import in_line
from server.disk import gib
from worker.admin.api import api
from worker.admin.options import AsJson, Data, Server
from worker.admin.tables import Listing, console, counted, moment, show_json

app = typer.Typer()


@app.command("status")
def show_status(as_json: AsJson = False, server: Server = None, data: Data = None) -> None:
    """The installation on one screen: what is to be done, phases, queue, slots, errors, disk, backup, versions."""
    with api(server=server, data=data) as here:
        answer = here.get("/admin/status")
    if as_json:
        show_json(answer)
        return
    found = InstallationOut.model_validate(answer)
    out = console()
    for line in found.to_do or ["Nothing needs anybody's attention."]:
        out.print(Text(in_line(line), "bold" if found.to_do else "green"))
    out.print()
    if found.phases:
        out.print(_phases(found.phases))
    else:
        out.print("No challenge yet: 'proctor-admin apply FILE' makes one of its file.")
    about = Listing(("", " "), prose=frozenset((" ",)))
    for head, said in _facts(found):
        about.add(head, said)
    out.print()
    out.print(about)


def _phases(phases: list[PhaseStatus]) -> Listing:
    numbers = frozenset(("evaluations", "cases"))
    table = Listing(
        ("phase", "state", "next (UTC)", "evaluations", "cases", "oldest (UTC)", "empty at (UTC)"), numbers
    )
    for phase in phases:
        table.add(
            f"{phase.challenge} {phase.phase}",
            phase.state,
            " ".join(filter(None, (phase.next, moment(phase.next_at)))),
            f"{phase.evaluations:,}" if phase.evaluations else "",
            f"{phase.cases:,}" if phase.cases else "",
            moment(phase.oldest),
            moment(phase.empty) or ("not known" if phase.cases else ""),
        )
    return table


def _facts(found: InstallationOut) -> Iterator[tuple[str, str]]:
    slots, versions = found.slots, found.versions
    yield "at", f"{moment(found.at, seconds=True)} UTC"
    yield (
        "there are",
        f"{counted(found.people, 'person', 'people')}, {counted(found.teams, 'team')}, "
        f"{counted(found.submissions_last_day, 'submission')} within a day",
    )
    kinds = ("working", "idle", "draining", "unfit", "gone")
    yield "slots", ", ".join(f"{getattr(slots, kind)} {kind}" for kind in kinds)
    yield "errored within a day", str(found.errored)
    yield "disk", f"{gib(found.disk.free)} free, {gib(found.disk.reserve)} kept"
    yield "last backup", f"{moment(found.backup_at)} UTC" if found.backup_at else "none known"
    made_of = f" (commit {versions.commit})" if versions.commit else ""
    yield (
        "release",
        f"{versions.release}{made_of}, schema {versions.schema_is}, evaluator {versions.evaluator}",
    )
