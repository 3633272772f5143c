"""Answers of Docker's API, and of what speaks it, as the sandbox reads them: by their structure alone."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.engines._protocol import ContainerState, PathStat
from sandbox.faults import shortened

OLDEST_API = "1.41"
"""That of Docker 20.10. Whoever still speaks it is spoken to in it, however new."""
# Go's bits of a file's mode: a link; a device, pipe, socket, character device or something else.
_LINK = 1 << 27
_SPECIAL = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19)
_BESIDE = ("HostnamePath", "HostsPath", "ResolvConfPath")
_OVERLAYS = ("overlay2", "overlay", "overlayfs")


def spoken(newest: str, oldest: str | None) -> str:
    """The version of the API to speak with an engine that knows those from `oldest` to `newest`.

    It is the oldest that both know, so that the engine answers as those did that this code was tried with.
    """
    wanted = max(_numbers(OLDEST_API), _numbers(oldest or "0.0"))
    return ".".join(map(str, min(wanted, _numbers(newest))))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def load_error(line: Any) -> str | None:
    """What a line of a load's stream says went wrong; None where it tells of no failure."""
    message = json.loads(line) if isinstance(line, bytes | str) else line
    if not isinstance(message, dict):
        return None
    detail = message.get("errorDetail") or {}
    said = message.get("error") or (str(detail.get("message") or detail) if detail else None)
    return None if said is None else shortened(str(said))


def path_stat(header: str) -> PathStat:
    """What the header of an answer about a path says of it."""
    said = json.loads(base64.b64decode(header))
    link = str(said["linkTarget"]) if said["mode"] & _LINK else None
    return PathStat(int(said["size"]), link, bool(said["mode"] & _SPECIAL))


def container_state(said: Mapping[str, Any]) -> ContainerState:
    """A container, as an engine describes it when it is inspected."""
    state, driver = said["State"], said.get("GraphDriver") or {}
    upper = (driver.get("Data") or {}).get("UpperDir")
    return ContainerState(
        id=str(said["Id"]),
        name=str(said["Name"]).lstrip("/"),
        running=bool(state["Running"]),
        pid=int(state["Pid"] or 0),
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state["OOMKilled"]),
        started=_stamp(state.get("StartedAt")),
        finished=_stamp(state.get("FinishedAt")),
        upper=Path(upper) if upper and driver.get("Name") in _OVERLAYS else None,
        beside=tuple(Path(path) for name in _BESIDE if (path := said.get(name))),
    )


def _stamp(text: object) -> datetime | None:
    """A time of the engine's: with up to nine digits of a second, in any zone."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
