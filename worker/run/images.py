"""Bringing an image to this host: verified blobs are fetched, a canonical archive is written from them and loaded.

Docker never reads the bytes that somebody uploaded. All of this happens before a case's clock starts. Layers that the
engine has of an image that this host loaded are not fetched again.
"""

import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import structlog

from contract.images import ImageFacts
from contract.leases import Lease
from sandbox.archive import write_canonical
from sandbox.engine import Engine
from sandbox.faults import ImageRefused
from sandbox.loading import load_image
from worker.run.image_cache import ImageCache

_REMEMBERED = 600.0
_log = structlog.get_logger()

Fetch = Callable[[str, Path], None]


class Refusals:
    """The images that the engine refused of late: for the next cases they are neither fetched nor tried again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, str]] = {}

    def raise_if_fresh(self, digest: str) -> None:
        """Returns unless the image was refused in the last minutes.

        Raises:
            ImageRefused: in the words of that time.
        """
        until, said = self._known.get(digest, (0.0, ""))
        if time.monotonic() < until:
            raise ImageRefused(said)

    @contextmanager
    def noted(self, digest: str) -> Iterator[None]:
        """Notes that the image is refused if the block finds so."""
        try:
            yield
        except ImageRefused as error:
            now = time.monotonic()
            self._known = {image: known for image, known in self._known.items() if known[0] > now}
            self._known[digest] = now + _REMEMBERED, str(error)
            raise


def ensure_image(engine: Engine, fetch: Fetch, lease: Lease, folder: Path, *, cache: ImageCache) -> str:
    """The id of the leased case's image, which is on this host afterwards; the caller holds its lock and uses it.

    `fetch` brings the blob of a digest to a path. `folder` is made for the blobs on their way to the engine and
    removed again. `cache` makes room for the image.

    Raises:
        ImageRefused: the engine takes other images, and not this one.
        EngineFault: the engine cannot load it, and that is not the image's doing.
        Damaged, LeaseLost, httpx.HTTPError: it cannot be fetched.
    """
    facts = lease.image
    if not engine.has_image(facts.digest):
        folder.mkdir()
        try:
            cache.make_room(engine, facts, folder)
            _bring(engine, fetch, facts, folder, cache.shared_layers(engine, facts))
        except BaseException:
            cache.forget(facts.digest)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return facts.digest


def _bring(engine: Engine, fetch: Fetch, facts: ImageFacts, folder: Path, shared: frozenset[str]) -> None:
    """Without the layers that the engine has; with all of them where it will not, for they may be gone since."""
    if shared:
        with _archive(fetch, facts, folder, shared).open("rb") as file:
            said = engine.try_load(file, facts.digest)
        if said is None:
            return
        _log.info("shared_layers_gone", digest=facts.digest, said=said)
    with _archive(fetch, facts, folder, frozenset()).open("rb") as file:
        load_image(engine, file, facts.digest)


def _archive(fetch: Fetch, facts: ImageFacts, folder: Path, without: Collection[str]) -> Path:
    blobs = {
        digest: folder / digest.removeprefix("sha256:") for digest in facts.blobs if digest not in without
    }
    for digest, blob in blobs.items():
        fetch(digest, blob)
    archive = folder / "image.tar"
    with archive.open("wb") as out:
        write_canonical(facts, lambda digest: _opened_once(blobs[digest]), out, without=without)
    return archive


def _opened_once(blob: Path) -> BinaryIO:
    """The blob, whose bytes leave the disk once they are read: an image and its archive need not lie there both."""
    file = blob.open("rb")
    blob.unlink()
    return file
