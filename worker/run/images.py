"""Bringing an image to this host: verified blobs are fetched, a canonical archive is written from them and loaded.

Docker never reads the bytes that somebody uploaded. All of this happens before a case's clock starts.
"""

import shutil
from pathlib import Path

from sandbox.archive import ImageFacts, write_canonical
from sandbox.engine import Engine
from worker.run.leases import Lease, LeaseClient


def ensure_image(engine: Engine, client: LeaseClient, lease: Lease, folder: Path) -> str:
    """The id of the leased case's image, which is on this host afterwards; the caller holds its lock.

    `folder` is made for the blobs on their way to the engine and removed again.

    Raises:
        EngineFault: the engine cannot load it; ours, for the image has passed its check.
        Damaged, LeaseLost, httpx.HTTPError: it cannot be fetched.
    """
    facts = ImageFacts.from_json(lease.image)
    if not engine.has_image(facts.digest):
        folder.mkdir()
        try:
            _load(engine, client, lease, facts, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return facts.digest


def _load(engine: Engine, client: LeaseClient, lease: Lease, facts: ImageFacts, folder: Path) -> None:
    blobs = {}
    for digest in dict.fromkeys((facts.digest, *facts.layers)):
        blobs[digest] = folder / digest.removeprefix("sha256:")
        client.fetch_blob(lease, digest, blobs[digest])
    archive = folder / "image.tar"
    with archive.open("wb") as out:
        write_canonical(facts, lambda digest: blobs[digest].open("rb"), out)
    for path in blobs.values():
        path.unlink(missing_ok=True)
    with archive.open("rb") as file:
        engine.load(file, facts.digest)
