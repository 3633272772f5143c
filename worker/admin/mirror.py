"""`proctor-admin mirror`: the public pages of a challenge as plain files that any web server can carry."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from evaluator.terminal import say
from worker.admin.api import nobody
from worker.admin.context import fail, settings_of
from worker.admin.mirror_crawl import NoMirror, crawl
from worker.admin.mirror_files import Files, compared, files_of, index_of, require_mirror, write
from worker.admin.mirror_links import MirroredSite
from worker.admin.options import ChallengeArgument, Data, Server

app = typer.Typer()
_NAMED = 20


@app.command("mirror")
def mirror(
    challenge: ChallengeArgument,
    out: Annotated[Path, typer.Argument(help="The folder of the mirror; an earlier one of it is replaced.")],
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            help="The installation's public address, for links to what takes a server. PROCTOR_PUBLIC_URL or --server "
            "where it is not given; without any these links are left out.",
            metavar="URL",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what differs from the pages as they are now; write nothing.")
    ] = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Write the public pages, JSON, CSV and pictures of CHALLENGE to OUT, as files that need no server of ours.

    It asks as a visitor without an account does, so nothing is in it that not everybody may see: a leaderboard that
    is sealed or frozen stays so. It is written whole or not at all. --check ends with 1 where the mirror differs.
    """
    base = _base(base_url) or (server.rstrip("/") if server else _base(settings_of(data).public_url))
    out = out.resolve()
    try:
        if check and not index_of(out):
            fail(f"{out} is no mirror.")
        require_mirror(out, challenge)
        with nobody(server=server, data=data) as http:
            files = _made(http, challenge, base)
        if not check:
            write(out, files, challenge)
            size = sum(map(len, files.values()))
            say(f"{challenge}: mirrored in {out}; files {len(files):,}, {size / 2**20:.1f} MiB")
            return
        differ = _show(out, files)
    except NoMirror as error:
        fail(str(error))
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror or error}")
    if differ:
        raise typer.Exit(1)


def _made(http: httpx.Client, challenge: str, base: str | None) -> Files:
    at = datetime.now(UTC)
    own = urlsplit(str(http.base_url))
    origins = {f"{own.scheme}://{own.netloc}"}
    if base is not None:
        public = urlsplit(base)
        origins.add(f"{public.scheme}://{public.netloc}")
    site = MirroredSite(challenge, frozenset(origins))
    return files_of(crawl(http, site), site, base=base, at=at)


def _base(url: str | None) -> str | None:
    if not url:
        return None
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        fail(f"{url!r} is no address; it looks like https://challenge.example.")
    return url.rstrip("/")


def _show(out: Path, files: Files) -> bool:
    """Says how the mirror differs; whether it does."""
    found = compared(out, files)
    if not found.any:
        say(f"{out}: as the pages are now")
        return False
    for what, names in (
        ("changed since", found.changed),
        ("not in the mirror", found.new),
        ("gone since", found.gone),
        ("not as it was mirrored", found.damaged),
    ):
        more = len(names) - _NAMED
        say(
            *(f"{what}: {name}" for name in names[:_NAMED]), *([f"{what}: {more:,} more"] if more > 0 else [])
        )
    return True
