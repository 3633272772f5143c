"""`proctor-admin blobs`: where layers and outputs lie, reading all of them back, and moving them elsewhere."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from evaluator.terminal import say
from server.blobs import BlobDamaged, BlobsAway, BlobStore, FileStore, store_of
from server.disk import Share, gib
from server.errors import Problem
from server.settings import BlobSettings, Settings
from server.storage.needed import missing
from server.words import counted, words
from worker.admin.context import fail, settings_of, work
from worker.admin.options import Data

app = typer.Typer()
_AT_ONCE, _SHOWN = 8, 5
_FILES = "files"
_FAR = 10**5  # seconds into the future: every blob, however a store's clock is set


class BlobAct(StrEnum):
    """What is done."""

    SHOW = "show"
    CHECK = "check"
    COPY = "copy"


@dataclass
class BlobTally:
    """What became of blobs: how many, and bytes."""

    done: int = 0
    bytes: int = 0
    there: int = 0
    gone: int = 0

    def __post_init__(self) -> None:
        self.damaged: list[str] = []


@app.command("blobs")
def blobs(
    act: Annotated[
        BlobAct,
        typer.Argument(
            help="show: how many; check: read all back, name what is damaged or missing; copy: to where --to says."
        ),
    ] = BlobAct.SHOW,
    to: Annotated[
        str | None,
        typer.Option(help="For copy: s3://BUCKET/PREFIX, asked as PROCTOR_BLOBS_… say, or 'files'."),
    ] = None,
    data: Data = None,
) -> None:
    """Say where layers and outputs lie, read all of them back, or copy them to a bucket or to files.

    A copy that was broken off goes on where it was. It compares every blob with its digest, removes nothing, and may
    run while the platform does: copy, stop the platform, copy once more, set BLOBS_URL, and start it.
    """
    if (act is BlobAct.COPY) != (to is not None):
        fail("Say with --to where copy copies to: s3://BUCKET/PREFIX, or files. The others take no --to.")
    settings, lost = settings_of(data), set[str]()
    try:
        if to is not None:
            source, target = _between(settings, to)
            tally = copy(source, target)
            told = f"copied {_blobs(tally.done)}, {gib(tally.bytes)}; {tally.there:,} were there"
        elif act is BlobAct.CHECK:
            with work(settings) as session:
                lost = missing(session, settings.blobs)
            tally = check(settings.blobs)
            told = f"{_blobs(tally.done)} read back and found whole, {gib(tally.bytes)}"
        else:
            tally = count(settings.blobs)
            told = f"{_blobs(tally.done)} in {settings.blobs.where}, {gib(tally.bytes)}"
    except BlobsAway as away:
        fail(f"{away.why} What was copied stays: the same command goes on from there." if to else away.why)
    except Problem as problem:
        fail(problem.detail)
    say(told + (f"; {tally.gone:,} were removed meanwhile" if tally.gone else ""))
    if lost:
        named = ", ".join(sorted(lost)[:_SHOWN])
        say(
            f"Missing, though rows name it: {_blobs(len(lost))}, as {named}. Put it back from a backup.",
            err=True,
        )
    if tally.damaged:
        named = ", ".join(sorted(tally.damaged)[:_SHOWN])
        fail(f"Not what the name says, so that nothing uses it: {_blobs(len(tally.damaged))}, as {named}")
    if lost:
        raise typer.Exit(1)


def _blobs(number: int) -> str:
    return counted(number, "blob", "blobs")


def count(store: BlobStore) -> BlobTally:
    """How many blobs a store has."""
    tally = BlobTally()
    for page in store.stored(before=time.time() + _FAR):
        tally.done += len(page)
        tally.bytes += sum(page.values())
    return tally


def check(store: BlobStore) -> BlobTally:
    """Reads every blob back and compares it with its digest."""

    def read(digest: str) -> int:
        found, size = hashlib.sha256(), 0
        for piece in store.read(digest):
            found.update(piece)
            size += len(piece)
        if f"sha256:{found.hexdigest()}" != digest:
            raise BlobDamaged(digest)
        return size

    tally = BlobTally()
    for page in store.stored(before=time.time() + _FAR):
        _each(page, read, tally)
    return tally


def copy(source: BlobStore, target: BlobStore) -> BlobTally:
    """Copies what `target` has not, each compared with its digest on the way."""
    tally = BlobTally()
    with tempfile.TemporaryDirectory(dir=target.incoming, prefix="copy-") as folder:

        def moved(digest: str) -> int:
            return _copied(source, target, digest, Path(folder))

        for page in source.stored(before=time.time() + _FAR):
            there = target.sizes(page)
            wanted = [digest for digest, size in page.items() if there.get(digest) != size]
            tally.there += len(page) - len(wanted)
            _each(wanted, moved, tally)
    return tally


def _copied(source: BlobStore, target: BlobStore, digest: str, folder: Path) -> int:
    path = source.local(digest)
    brought = folder / digest.removeprefix("sha256:")
    try:
        if path is None:
            source.bring({brought: digest})
            path = brought
        with path.open("rb") as file:
            if f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" != digest:
                raise BlobDamaged(digest)
        target.take_in(path)
        return path.stat().st_size
    finally:
        brought.unlink(missing_ok=True)


def _each(digests: Iterable[str], act: Callable[[str], int], tally: BlobTally) -> None:
    """Does it with several at once; what is damaged or gone is noted, anything else ends it."""

    def done(digest: str) -> int | None:
        try:
            return act(digest)
        except BlobDamaged:
            tally.damaged.append(digest)
        except FileNotFoundError:
            tally.gone += 1
        return None

    with ThreadPoolExecutor(_AT_ONCE, "blobs") as pool:
        try:
            for size in pool.map(done, digests):
                if size is not None:
                    tally.done += 1
                    tally.bytes += size
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _between(settings: Settings, to: str) -> tuple[BlobStore, BlobStore]:
    """Whence and where to: from where the blobs lie, or from files where BLOBS_URL names the aim already."""
    files = FileStore(settings.data / "blobs", settings.room(Share.RESULTS))
    if to == _FILES:
        if settings.blobs_place is None:
            fail("The blobs are files already: BLOBS_URL is not set.")
        return settings.blobs, files
    told = {name: getattr(settings, name) for name in BlobSettings.model_fields if name != "blobs_url"}
    try:
        place = BlobSettings.model_validate(told | {"BLOBS_URL": to}).blobs_place
    except ValidationError as error:
        fail(f"--to {to}: {words(error.errors()[0])}.")
    return (files if settings.blobs_place in (None, place) else settings.blobs), store_of(place, files)
