"""What an engine reads as root from an image before anything of it runs: the files that name users and groups.

The engine opens them without asking what they are. A pipe there stops it for good: neither start nor removal of that
container ever ends. A device would be opened on the host, and a file of gigabytes read to its end.
"""

import posixpath

from evaluator.verdicts import Fault, Verdict
from sandbox.engines import ContainerEngine

_FILES = {"/etc/passwd": 4 * 2**20, "/etc/group": 32 * 2**10}
"""With the most bytes each may have. A user of ten thousand groups keeps runc busy for twenty seconds before anything
starts, one of a hundred thousand for minutes, and nothing of such a container can be removed meanwhile."""
_LIVE = ("/proc", "/sys", "/dev", "/input", "/output", "/proctor", "/tmp")  # noqa: S108 - inside the container
_known: dict[str, bool] = {}
"""Whether an image (by its id) is dangerous: asked once, for the answer depends on the image alone."""
_REFUSED = "The command could not be started: /etc/passwd or /etc/group of the image is no ordinary file, or too large."


def refused(engine: ContainerEngine, container: str, image: str) -> Verdict | None:
    """The verdict on an image whose accounts no engine may read; None where nothing speaks against them.

    `container` is one that was made of `image` (an id) and is not started.

    Raises:
        EngineRefused: the engine refuses to look, because nothing can be mounted in the container, say.
        EngineSilent: the engine failed otherwise.
    """
    if image not in _known:
        _known[image] = _dangerous(engine, container)
    return Verdict(Fault.NO_START, _REFUSED) if _known[image] else None


def _dangerous(engine: ContainerEngine, container: str) -> bool:
    return _leads_astray(engine, container, "/etc") or any(
        _leads_astray(engine, container, path) or _special(engine, container, path, most)
        for path, most in _FILES.items()
    )


def _leads_astray(engine: ContainerEngine, container: str, path: str) -> bool:
    """Whether a link leads to where something else will stand once the container runs."""
    entry = engine.stat(container, path)
    if entry is None or entry.link is None:
        return False
    target = posixpath.normpath(entry.link)
    return any(target == top or target.startswith(top + "/") for top in _LIVE)


def _special(engine: ContainerEngine, container: str, path: str, most: int) -> bool:
    """Whether this is something else than a file of at most `most` bytes, through links."""
    entry = engine.stat(container, path)
    if entry is not None and entry.link is not None:  # the engine tells where a link ends, through all others
        entry = engine.stat(container, entry.link)
    return entry is not None and (entry.special or entry.link is not None or entry.size > most)
