"""Loading a verified image into the engine of this host."""

from typing import BinaryIO

from sandbox import refusals
from sandbox.engine import Engine


def load_image(engine: Engine, archive: BinaryIO, digest: str) -> None:
    """Load an archive that our own code wrote under its canonical name and compare the id it got.

    `archive` can seek, and is read from its start.

    Raises:
        ImageRefused: the image's config or layers are such that this engine cannot load them.
        EngineFault: the archive is not that of `digest`, or the engine failed.
    """
    said = engine.try_load(archive, digest)
    if said is not None:
        refusals.judge_load(engine, archive, digest, said)
