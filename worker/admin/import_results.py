"""`proctor-admin import-results`: a challenge that ended elsewhere becomes a board that anybody can browse."""

from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import quote

import typer

from contract.problems import ErrorCode
from contract.published import ResultsImported
from evaluator.spec import SpecError, load_challenge
from evaluator.tables import TableError, text_of
from evaluator.terminal import in_line, say
from worker.admin.api import Refused, api
from worker.admin.context import fail, reason_of
from worker.admin.options import AsJson, Data, Reason, Server
from worker.admin.tables import show_json

app = typer.Typer()


@app.command("import-results")
def import_results(
    challenge_file: Annotated[Path, typer.Argument(help="The challenge file.")],
    results: Annotated[Path, typer.Argument(help="The CSV file of the published values.")],
    overlay: Annotated[Path | None, typer.Option(help="A site's settings, merged over the file.")] = None,
    phase: Annotated[
        str | None, typer.Option(help="The phase; needed where several have a leaderboard.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where they were published; everybody reads it.", metavar="TEXT")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of other results; needs --why.")
    ] = False,
    why: Reason = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Show published results, from their values alone, as the leaderboard of a challenge that is over.

    RESULTS has the columns team, track, task (the board), metric and value; and, where they were published,
    task_rank, overall_rank and placement, with is_baseline, eligible and disclaimer as marks. The challenge is made
    where there is none of its name. Every mistake is named with its line and column, and nothing is imported then.
    The same again changes nothing.
    """
    reason = reason_of(why)
    if replace and reason is None:
        fail("--replace needs --why REASON, which everybody reads.")
    slug = _name_of(challenge_file, overlay)
    body = {
        "file": _text(challenge_file),
        "overlay": None if overlay is None else _text(overlay),
        "results": _text(results),
        "phase": phase,
        "source": source,
        "replace": replace,
        "why": reason,
    }
    with api(server=server, data=data) as here:
        try:
            answer = here.post(f"/admin/challenges/{slug}/results", body)
        except Refused as refused:
            _fail(refused, results)
    found = ResultsImported.model_validate(answer)
    if as_json:
        show_json(answer)
        return
    did = "imported" if found.changed else "unchanged: these results are there already"
    say(
        f"{found.challenge} {found.phase}: {did}; teams {found.teams:,}, values {found.values:,}, {found.digest}",
        f"The leaderboard: /challenges/{quote(found.challenge)}/leaderboards/{quote(found.phase)}",
    )


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except TableError as error:
        fail(str(error))


def _name_of(file: Path, overlay: Path | None) -> str:
    try:
        return load_challenge(file, overlay).challenge
    except SpecError as error:
        fail(str(error))


def _fail(refused: Refused, results: Path) -> NoReturn:
    if refused.code == ErrorCode.RESULTS_FILE:
        mistakes = "\n".join(in_line(mistake) for mistake in str(refused).splitlines())
        fail(f"{results.name} was not imported:\n{mistakes}")
    if refused.code == ErrorCode.RESULTS_DIFFER:
        fail(f"{refused} Give --replace --why REASON.")
    fail(str(refused))
