"""Where built images are kept between runs, and the lock that lets two processes share them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_USE = 3600.0


def cache_dir() -> Path:
    """The folder for image archives: `$PROCTOR_CACHE/images`, else `.cache/images` of the checkout."""
    root = os.environ.get("PROCTOR_CACHE")
    folder = (Path(root) if root else Path(__file__).parents[2] / ".cache") / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the lock `name` of the cache; a second process waits. Released too when its holder dies."""
    with (cache_dir() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forget_older(name: str, kept: Path) -> None:
    """Removes earlier archives of the image `name`; one of the last hour may be in use by another process."""
    for path in cache_dir().glob(f"{name}-{'[0-9a-f]' * 16}.tar"):
        if path != kept and time.time() - path.stat().st_mtime > _IN_USE:
            path.unlink(missing_ok=True)
