"""The images that this host has loaded, held to a budget: what was used longest ago goes, nothing in use does."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import structlog

from contract.images import ImageFacts
from sandbox.engine import Engine
from worker.run.host import HostFolder

_log = structlog.get_logger()

_SHARE = 2
"""The default budget is one part in so many of the disk on which the engine keeps images."""
_UNSEEN = 100 * 2**30
_COPIES = 2
"""An engine unpacks an archive beside its images before it takes the layers over."""

_FILES = 4_000_000
"""Files that an image may still bring to the engine's disk, twice as many as a checked one has, for it unpacks them
beside the others; a small disk, which never had so many, has half of them."""

Layers = Mapping[str, int]
"""An image's layers by digest, with the bytes each has; layers are shared between images."""


class ImageCache:
    """The images that workers of this host have loaded under our own name; others are never touched.

    `budget` bounds their layers in bytes, each counted once; None is half of the engine's disk, or 100 GiB where
    that cannot be seen.
    """

    def __init__(self, host: HostFolder, budget: int | None) -> None:
        self._host, self._budget = host, budget
        self._folder = host.root / "images"

    def make_room(self, engine: Engine, facts: ImageFacts, beside: Path) -> None:
        """Notes an image that is about to be loaded, and removes others until it fits the budget and the disk.

        `beside` is where its archive will lie. An image that fits only with others in use is loaded all the same.

        Raises:
            EngineFault: the engine does not answer.
        """
        with self._host.turn_of_images():
            self._forget_gone(engine)
            known = self._known()
            known[facts.digest] = dict(zip(facts.layers, facts.layer_sizes, strict=True))
            self._path(facts.digest).write_text(json.dumps(known[facts.digest]))
            for digest in sorted(known.keys() - {facts.digest}, key=self._host.image_used_at):
                if self._fits(engine, known.values(), facts, beside):
                    return
                if self._remove(engine, digest):
                    del known[digest]
                    _log.info("image_removed", digest=digest)

    def shared_layers(self, engine: Engine, facts: ImageFacts) -> frozenset[str]:
        """Layers of an image that need not be brought, for the engine has them of others that this host loaded.

        An engine knows a layer by those below it, so they are the lowest ones. Another slot may remove them at once:
        who leaves them out of an archive must be ready to bring them after all.

        Raises:
            EngineFault: the engine does not answer.
        """
        if not engine.knows_layers:
            return frozenset()
        bottom = facts.layers[:1]
        others = [
            one for one, layers in self._known().items() if one != facts.digest and {*bottom} & {*layers}
        ]
        most = max((_common(facts.layers, engine.layers(one)) for one in others), default=0)
        return frozenset(facts.layers[:most]) - frozenset(facts.layers[most:])

    def forget(self, digest: str) -> None:
        """The image was not loaded after all, or is gone."""
        self._path(digest).unlink(missing_ok=True)

    def drop(self, engine: Engine, digest: str) -> None:
        """Removes an image that is to be brought anew, unless there is a container of it; the caller holds its lock."""
        if engine.untag(digest):
            self._host.forget_warm(digest)
            self.forget(digest)

    def wipe(self, engine: Engine) -> tuple[int, int]:
        """Removes every image that nothing uses; how many, and how many stay.

        Raises:
            EngineFault: the engine does not answer.
        """
        with self._host.turn_of_images():
            self._forget_gone(engine)
            known = self._known()
            removed = sum(self._remove(engine, digest) for digest in known)
        return removed, len(known) - removed

    def digests(self) -> set[str]:
        """The images that workers of this host have loaded."""
        return set(self._known())

    def _fits(self, engine: Engine, images: Iterable[Layers], coming: ImageFacts, beside: Path) -> bool:
        store = Path(str(engine.host["DockerRootDir"]))
        seen = store.is_dir()
        budget = self._budget
        if budget is None:
            budget = shutil.disk_usage(store).total // _SHARE if seen else _UNSEEN
        if used_by(images) > budget:
            return False
        if not seen:
            return True
        if _lacks_files(store):
            return False
        copies = _COPIES + (store.stat().st_dev == beside.stat().st_dev)
        return shutil.disk_usage(store).free >= copies * coming.size

    def _remove(self, engine: Engine, digest: str) -> bool:
        with self._host.unused_image(digest) as unused:
            if not unused or not engine.untag(digest):
                return False
            self._host.forget_warm(digest)
            self.forget(digest)
            return True

    def _forget_gone(self, engine: Engine) -> None:
        """Forgets what somebody else removed; an image in use may be on its way to the engine."""
        for digest in self._known():
            if not engine.has_image(digest):
                with self._host.unused_image(digest) as unused:
                    if unused:
                        self.forget(digest)

    def _known(self) -> dict[str, Layers]:
        known: dict[str, Layers] = {}
        for path in self._folder.glob("*.loaded"):
            # Another slot forgot it, or was killed while writing.
            with contextlib.suppress(OSError, ValueError):
                known[f"sha256:{path.stem}"] = json.loads(path.read_text())
        return known

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest.removeprefix('sha256:')}.loaded"


def _lacks_files(store: Path) -> bool:
    """Whether the disk may have no entry left for a file while it has bytes; some count none at all."""
    state = os.statvfs(store)
    return state.f_files > 0 and state.f_favail < min(_FILES, state.f_files // 2)


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many layers, from the bottom up, both have in the same order."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(first), len(second)))


def used_by(images: Iterable[Layers]) -> int:
    """Bytes of the images' layers, each counted once."""
    layers: dict[str, int] = {}
    for image in images:
        layers |= image
    return sum(layers.values())
