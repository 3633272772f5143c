"""`proctor-admin find` and `show`: anything by a name, an id or a digest, and all of one thing on one screen."""

from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from contract.admin import EvaluationShown
from contract.finding import MOST_FOUND, FoundOut, SearchOut, ShownOut
from contract.intervals import named
from contract.problems import ErrorCode
from evaluator.terminal import Console, harmless, in_line, say
from server.admin.pages import MOST
from worker.admin.api import Api, Refused, api
from worker.admin.context import fail
from worker.admin.options import AsJson, Data, Server
from worker.admin.tables import Listing, console, moment, show, show_json

app = typer.Typer()


@app.command("find")
def find(
    text: Annotated[str, typer.Argument(help="Part of a name or address, or how an id or a sha256 begins.")],
    limit: Annotated[int, typer.Option(min=1, max=MOST_FOUND, help="At most so many of each kind.")] = 10,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Find anything: teams, people, submissions, evaluations, cases, images, uploads, datasets, workers and more."""
    if not text.strip():
        fail("Say what to look for: part of a name or address, or how an id or a sha256 begins.")
    with api(server=server, data=data) as here:
        answer = here.get("/admin/find", q=text, limit=limit)
    if as_json:
        show_json(answer)
        return
    found = SearchOut.model_validate(answer)
    show(_found_table(found.items), otherwise=f"Nothing that you may see has {in_line(text)} in it.")
    if found.sentence:
        say(found.sentence, err=True)


def _found_table(items: list[FoundOut]) -> Listing:
    table = Listing(("kind", "id", "challenge", "since (UTC)", "what"), prose=frozenset(("what",)))
    for item in items:
        table.add(item.kind.replace("_", " "), item.id, item.challenge or "", moment(item.at), item.title)
    return table


@app.command("show")
def show_one(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Anything that has an id; the beginning of it is enough.")
    ],
    log: Annotated[
        str | None, typer.Option(metavar="CASE", help="Only what the container of this case wrote.")
    ] = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """All of one thing: what it is, what happened, what one may write to its team, and what can be done.

    Of an evaluation it names cases, which is recorded; with --log it shows what a container wrote. Neither is for
    participants of a hidden phase; the text for the participant is.
    """
    with api(server=server, data=data) as here:
        try:
            answer = here.get(f"/admin/show/{id_}")
        except Refused as refused:
            if refused.code != ErrorCode.NOT_AN_ID:
                raise
            fail(f"{refused} 'proctor-admin find' finds ids by names, addresses and digests.")
        found = ShownOut.model_validate(answer)
        if log is not None:
            say(_log_of(here, found, log))
            return
    if as_json:
        show_json(answer)
    else:
        _print(console(), found)


def _log_of(here: Api, found: ShownOut, case: str) -> str:
    """What the container of a case wrote; it goes by its name or its pseudonym."""
    row = found.evaluation
    if row is None:
        fail(f"{found.kind} {found.id} has no cases; name one of its evaluations.")
    pseudonyms = {known for shown in row.cases if case in (shown.case, shown.name) for known in [shown.case]}
    path, after = f"/admin/evaluations/{row.id}/cases", None
    while pseudonyms and (page := here.get(path, after=after, limit=MOST)):
        ids = [entry["id"] for entry in page if entry["case"] in pseudonyms]
        if ids:
            return str(here.get(f"{path}/{ids[0]}")["log"] or "")
        after = page[-1]["id"]
    there = ", ".join(shown.case for shown in row.cases[:5]) + (", …" if len(row.cases) > 5 else "")
    return fail(f"This evaluation has no case {case!r}. It has: {there}.")


def _print(out: Console, found: ShownOut) -> None:
    where = f"{found.challenge} · " if found.challenge else ""
    out.print(Text(in_line(f"{found.kind.replace('_', ' ')} · {where}{found.title}"), "bold"))
    about = Listing(("", " "), prose=frozenset((" ",)))
    about.add("id", found.id)
    known = {fact.head: fact.said for fact in found.facts}
    facts = [*known.items(), *(_facts(found.evaluation) if found.evaluation else ())]
    for head, said in dict(facts).items():
        if said:
            about.add(head, said)
    out.print(about)
    row = found.evaluation
    for table in (
        *((_scores(row), _cases(row)) if row else ()),
        _titled("belongs to it", _found_table(found.related)),
        _titled("what happened", _happened(found)),
    ):
        if table.rows:
            out.print()
            out.print(table)
    if found.participant is not None:
        out.print()
        out.print(Text("For the participant, who may see all of it:", "bold"))
        out.print(Padding(Text(harmless(found.participant)), (0, 0, 0, 2), expand=False))
    out.print()
    for head, lines in (("can be done", found.acts), ("in the logs", [found.logs] if found.logs else [])):
        for line in lines:
            out.print(f"{head}: {in_line(line)}", soft_wrap=True)


def _titled(title: str, table: Listing) -> Listing:
    table.title = title
    return table


def _happened(found: ShownOut) -> Listing:
    table = Listing(("at (UTC)", "who", "what", "why"), prose=frozenset(("what", "why")))
    for event in found.happened:
        table.add(moment(event.at, seconds=True), event.actor, event.what, event.why or "")
    return table


def _facts(row: EvaluationShown) -> list[tuple[str, str]]:
    ran = f"{moment(row.started_at)} to {moment(row.finished_at) or 'now'}" if row.started_at else ""
    return [
        ("submission", row.submission),
        (
            "submitted",
            f"{moment(row.created_at)} UTC" + (f" by {row.submitted_by}" if row.submitted_by else ""),
        ),
        ("ran", ran),
        ("the team reads", row.reason or ""),
        ("for admins", row.trouble or ""),
        ("verdicts", ", ".join(f"{count} × {name}" for name, count in sorted(row.verdicts.items()))),
        ("image", f"{row.image}, {row.image_bytes / 1e6:,.0f} MB"),
        ("dataset", row.dataset),
        ("challenge file", row.spec),
        ("evaluator", row.evaluator or ""),
    ]


def _scores(row: EvaluationShown) -> Listing:
    heads = ("board", "metric", "value", "interval", "made", "holds", "resamples", "note", "lacks")
    table = Listing(heads, frozenset(("value", "holds", "resamples")), prose=frozenset(("note", "lacks")))
    for score in row.scores:
        between = "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"
        value = f"{score.value:.6g}" if score.value is not None else f"none: {score.reason}"
        drawn = row.bootstraps.get(score.board)
        holds, resamples = (f"{drawn.level * 100:g} %", f"{drawn.resamples:,}") if drawn else ("", "")
        said = score.note or "", score.lacks or ""
        made = named(score.interval_method) if score.interval_method else ""
        table.add(score.board, score.metric, value, between, made, holds, resamples, *said)
    return table


def _cases(row: EvaluationShown) -> Listing:
    heads = ("case", "name", "verdict", "worker", "seconds", "MB", "faults", "message")
    table = Listing(heads, frozenset(("seconds", "MB", "faults")), prose=frozenset(("message",)))
    for case in row.cases:
        table.add(
            case.case,
            case.name or "",
            case.verdict or case.status,
            case.worker or "",
            "" if case.seconds is None else f"{case.seconds:.2f}",
            "" if case.peak_memory_bytes is None else f"{case.peak_memory_bytes / 1e6:,.1f}",
            str(case.faults) if case.faults else "",
            "" if case.verdict == "valid" else case.message or "",
        )
    return table
