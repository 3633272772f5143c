"""`proctor-admin storage` and `sweep`: what lies on the data disk, whose it is, and what nothing refers to."""

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import func, select

from contract.admin import Overview
from evaluator.terminal import say
from server.admin.storage import overview, sentence
from server.disk import gib
from server.storage import sweep
from server.tables import open_database
from worker.admin.context import settings_of, work
from worker.admin.options import Data
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()


@app.command("storage")
def show_storage(
    as_json: Annotated[bool, typer.Option("--json", help="Bytes, for programs.")] = False,
    data: Data = None,
) -> None:
    """How full the data disk is and how long it lasts, what lies on it, and what each team stores."""
    settings = settings_of(data)
    with work(settings) as session:
        stored = overview(session, settings)
    if as_json:
        show_json(stored.model_dump(mode="json"))
        return
    say(sentence(stored))
    show(_folders(stored))
    show(_teams(stored), otherwise="No team stores anything.")


def _folders(stored: Overview) -> Listing:
    table = Listing(("folder", "size"), frozenset(("size",)))
    for name, size in stored.folders.items():
        table.add(name, gib(size))
    table.add("the database", gib(stored.database))
    return table


def _teams(stored: Overview) -> Listing:
    table = Listing(("team", "challenge", "images", "uploads", "may store"), frozenset(("images", "uploads")))
    for team in stored.teams:
        table.add(team.team, team.challenge, gib(team.images), gib(team.uploads), gib(team.allowed))
    return table


@app.command("sweep")
def sweep_now(
    hours: Annotated[
        float,
        typer.Option(min=1, help="Only what nothing referred to for so long; longer than a backup takes."),
    ] = sweep.AGE.total_seconds() / 3600,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing, only count.")] = False,
    data: Data = None,
) -> None:
    """Remove what nothing refers to: blobs, files of uploads that are over, what killed workers left.

    The platform does the same every hour.
    """
    settings = settings_of(data)
    with work(settings) as session:
        session.scalar(select(func.now()))  # the database answers
    sessions = open_database(settings.database_url, pool_size=1)
    try:
        swept = sweep.sweep(sessions, settings, age=timedelta(hours=hours), dry=dry_run)
    finally:
        sessions.kw["bind"].dispose()
    what = "would be removed" if dry_run else "removed"
    say(f"{swept.blobs:,} blobs and {swept.files:,} other files {what}, {gib(swept.bytes)}")
