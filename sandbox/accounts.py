"""What an engine reads as root from an image before anything of it runs: the files that name users and groups.

The engine opens them without asking what they are. A pipe there stops it for good: neither start nor removal of that
container ever ends. A device would be opened on the host, and a file of gigabytes read to its end.
"""

import base64
import json
import posixpath
from http import HTTPStatus
from typing import Any

from docker.errors import APIError, DockerException
from requests import RequestException

from evaluator.verdicts import Fault, PlatformFault, Verdict
from sandbox.engine import Engine
from sandbox.faults import EngineFault

_FILES = {"/etc/passwd": 4 * 2**20, "/etc/group": 32 * 2**10}
"""With the most bytes each may have. A user of ten thousand groups keeps runc busy for twenty seconds before anything
starts, one of a hundred thousand for minutes, and nothing of such a container can be removed meanwhile."""
# Device, pipe, socket, character device, other.
_SPECIAL = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19)
_LINK = 1 << 27
_LIVE = ("/proc", "/sys", "/dev", "/input", "/output", "/proctor", "/tmp")  # noqa: S108 - inside the container
_known: dict[str, bool] = {}
"""Whether an image (by its id) is dangerous: asked once, for the answer depends on the image alone."""
_REFUSED = "The command could not be started: /etc/passwd or /etc/group of the image is no ordinary file, or too large."


def refused(engine: Engine, container: str, image: str) -> Verdict | None:
    """The verdict on an image whose accounts no engine may read; None where nothing speaks against them.

    `container` is one that was made of `image` (an id) and is not started.

    Raises:
        APIError: the engine refuses to look, because nothing can be mounted in the container, say.
        EngineFault: the engine failed otherwise.
    """
    if image not in _known:
        _known[image] = _dangerous(engine, container)
    return Verdict(Fault.NO_START, _REFUSED) if _known[image] else None


def _dangerous(engine: Engine, container: str) -> bool:
    return _leads_astray(engine, container, "/etc") or any(
        _leads_astray(engine, container, path) or _special(engine, container, path, most)
        for path, most in _FILES.items()
    )


def _leads_astray(engine: Engine, container: str, path: str) -> bool:
    """Whether a link leads to where something else will stand once the container runs."""
    entry = _stat(engine, container, path)
    if entry is None or not entry["mode"] & _LINK:
        return False
    target = posixpath.normpath(entry["linkTarget"])
    return any(target == top or target.startswith(top + "/") for top in _LIVE)


def _special(engine: Engine, container: str, path: str, most: int) -> bool:
    """Whether this is something else than a file of at most `most` bytes, through links."""
    entry = _stat(engine, container, path)
    if entry is not None and entry["mode"] & _LINK:  # the engine tells where a link ends, through all others
        entry = _stat(engine, container, entry["linkTarget"])
    return entry is not None and (bool(entry["mode"] & (_SPECIAL | _LINK)) or entry["size"] > most)


def _stat(engine: Engine, container: str, path: str) -> dict[str, Any] | None:
    """What the engine says of a path; it follows links of folders only, and opens nothing."""
    api = engine.api
    try:
        answer = api.head(
            api._url("/containers/{0}/archive", container), params={"path": path}, timeout=api.timeout
        )
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:  # only a full answer says why
            api._raise_for_status(api.get(answer.url, stream=True, timeout=api.timeout))
        said: dict[str, Any] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
    except APIError:
        raise
    except (DockerException, RequestException) as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"looking at accounts: {error}") from error
    return said
