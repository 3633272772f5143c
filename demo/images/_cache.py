"""Where built images are kept between runs, and the lock that lets two processes share them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
