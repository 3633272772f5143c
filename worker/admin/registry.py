"""`proctor-admin registry`: what lies in the registry that people push to, and taking out what is not needed there."""

from typing import Annotated

import typer

from evaluator.terminal import say
from server.disk import gib
from server.registry import layout
from server.registry.left import is_left, pushes_in, remove_left
from server.registry.remote import RegistryAway, RegistryLies, Remote
from server.registry.service import Pushed
from server.settings import Settings
from server.tables import open_database
from server.words import counted
from worker.admin.context import fail, settings_of, work
from worker.admin.options import Data

app = typer.Typer()
_COLLECT = (
    "What they named stays on the registry's disk until its garbage-collect has run, while it is stopped: "
    "docs/operations.md, A registry."
)


@app.command("registry")
def registry(
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Take out what was taken over or refused, or ran out.")
    ] = False,
    data: Data = None,
) -> None:
    """Say what lies in the registry: pushes that wait, those that are not needed any more, and their bytes.

    A score worker takes these out as they are taken over, and once an hour what it missed.
    """
    settings = settings_of(data)
    if settings.registry_url is None:
        fail("REGISTRY_URL is not set: this installation takes no pushed images.")
    try:
        with Remote(settings) as remote:
            _looked_through(settings, remote, sweep=sweep)
    except RegistryAway as error:
        fail(f"The registry cannot be looked through: {error}.")
    except (OSError, ValueError) as error:
        fail(f"The registry cannot be asked: {error}.")


def _looked_through(settings: Settings, remote: Remote, *, sweep: bool) -> None:
    found, left, blobs = set(), set(), dict[str, int]()
    for pushed in pushes_in(remote):
        with work(settings) as session:
            found.add(pushed)
            left |= {pushed} if is_left(session, pushed) else set()
        blobs |= _blobs(remote, pushed)
    size = gib(sum(blobs.values()))
    say(
        f"{counted(len(found), 'tag', 'tags')} in the registry, with {counted(len(blobs), 'blob', 'blobs')} of {size}; "
        f"{len(found) - len(left)} waiting, {len(left)} not needed any more"
    )
    if not left:
        return
    if not sweep:
        say("--sweep takes these out.")
        return
    sessions = open_database(settings.database_url, pool_size=1)
    try:
        gone = remove_left(sessions, remote, left)
    finally:
        sessions.kw["bind"].dispose()
    wanted = len({(one.repository, one.digest) for one in left})
    if gone < wanted:
        fail(
            f"{gone} of {wanted} manifests were taken out; the registry refused the others. Set storage.delete.enabled "
            "in its configuration: docs/operations.md, A registry."
        )
    say(f"{counted(gone, 'manifest was', 'manifests were')} taken out. {_COLLECT}")


def _blobs(remote: Remote, pushed: Pushed) -> dict[str, int]:
    """The blobs that a push names, with their sizes; none where it is no image."""
    try:
        return layout.read(remote, pushed.repository.path, pushed.digest).blobs
    except (layout.NotTaken, RegistryLies):
        return {}
