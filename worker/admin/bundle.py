"""`proctor-admin bundle`: what a paper and a reviewer need of a phase, as a folder or a ZIP file."""

import errno
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evaluator.terminal import say
from server.disk import gib
from worker.admin.api import Api, api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, ChallengeArgument, Data, PhaseArgument, Server, Yes
from worker.admin.tables import show_json

app = typer.Typer()


@app.command("bundle")
def bundle_phase(
    challenge: ChallengeArgument,
    phase: PhaseArgument,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder or, if its name ends in .zip, the file to write; CHALLENGE-PHASE.zip."),
    ] = None,
    with_case_names: Annotated[
        bool,
        typer.Option("--with-case-names", help="Cases by their own names: for organizers, not to publish."),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Write everything that a paper and a reviewer need of the results of PHASE; its README explains each file.

    'python -m evaluator recompute' computes the boards again from it and compares. A phase that is not released or not
    over may be bundled, and the bundle says so. Nothing is overwritten.
    """
    target = out or Path(f"{challenge}-{phase}.zip")
    if target.exists() or target.is_symlink():
        fail(f"{target} is there already, and nothing is overwritten: name another with --out.")
    if not target.absolute().parent.is_dir():
        fail(f"There is no directory {target.absolute().parent}; make it first.")
    if with_case_names:
        make_sure("Who has such a bundle can tell which result is of which patient's scan.", yes=yes)
    with api(server=server, data=data) as here, _unfinished(target) as part:
        size = _fetch(here, f"/organize/{challenge}/phases/{phase}/bundle", part, names=with_case_names)
        files = _place(part, target, size)
    if as_json:
        show_json({"path": str(target), "bytes": size, "files": files})
    else:
        say(
            f"{target}: {files:,} files, {gib(size)} as an archive; 'python -m evaluator recompute {target}' checks it"
        )


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A file beside the target for what has come so far; whatever happens, nothing half is left."""
    part = target.absolute().parent / f".{target.name}.part"
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(_unpacked(part), ignore_errors=True)


def _unpacked(part: Path) -> Path:
    return part.with_name(f"{part.name}.d")


def _fetch(here: Api, path: str, part: Path, *, names: bool) -> int:
    """Writes the archive into `part`; its size in bytes."""
    with here.download(path, case_names=names or None) as answer:
        needed = int(answer.headers["Content-Length"])
        with _room_for(needed, part), part.open("wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
    return needed


def _place(part: Path, target: Path, size: int) -> int:
    """Brings the archive, or what is in it, to where it is to be; how many files it holds."""
    try:
        archive = zipfile.ZipFile(part)
    except zipfile.BadZipFile:
        fail("What came is no whole ZIP archive; nothing was written. Ask again.")
    with archive:
        members = archive.infolist()
        if target.suffix.lower() != ".zip":
            with _room_for(sum(member.file_size for member in members), part):
                archive.extractall(_unpacked(part))
    if target.suffix.lower() == ".zip":
        part.rename(target)
    else:
        (folder,) = _unpacked(part).iterdir()
        folder.rename(target)
    return len(members)


@contextmanager
def _room_for(needed: int, part: Path) -> Iterator[None]:
    """Ends the command where the disk is full, or would be."""
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        _full(needed, free, part)
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _full(needed, shutil.disk_usage(part.parent).free, part)


def _full(needed: int, free: int, part: Path) -> None:
    fail(
        f"The bundle needs {gib(needed)} ({needed:,} bytes) in {part.parent}, and {gib(free)} ({free:,} bytes) are "
        "free there. Nothing was written; free some, or give another --out."
    )
