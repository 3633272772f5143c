"""Container engines behind one protocol; only the module of an engine knows its library, its calls and its words."""

import os
from enum import StrEnum

from sandbox.engines._errors import EngineRefused, EngineSilent, EngineSlow, EngineTrouble
from sandbox.engines._protocol import Attached, ContainerEngine, ContainerState, ListedContainer, PathStat
from sandbox.engines.apptainer import ApptainerEngine
from sandbox.engines.docker import DockerEngine
from sandbox.engines.podman import PART, PodmanEngine

SETTING = "PROCTOR_ENGINE"
"""The variable that chooses an engine where none is named."""


class EngineKind(StrEnum):
    """The engines that there are."""

    DOCKER = "docker"
    PODMAN = "podman"
    APPTAINER = "apptainer"


__all__ = [
    "SETTING",
    "Attached",
    "ContainerEngine",
    "ContainerState",
    "EngineKind",
    "EngineRefused",
    "EngineSilent",
    "EngineSlow",
    "EngineTrouble",
    "ListedContainer",
    "PathStat",
    "connect",
]


def connect(kind: str | None = None, *, timeout: int = 60) -> ContainerEngine:
    """A connection to the engine of this kind, else of the kind that `PROCTOR_ENGINE` names, else to Docker.

    Podman behind the address of Docker is known for what it is, whatever was asked for.

    Raises:
        EngineSilent: nothing answers there, something else does, or there is no such kind.
    """
    kind = kind or os.environ.get(SETTING) or EngineKind.DOCKER
    if kind not in list(EngineKind):
        raise EngineSilent(f"there is no engine {kind!r}: {SETTING} is one of {', '.join(EngineKind)}")
    if kind == EngineKind.APPTAINER:
        return ApptainerEngine.connect(timeout=timeout)
    if kind == EngineKind.PODMAN:
        return PodmanEngine.connect(timeout=timeout)
    docker = DockerEngine.connect(timeout=timeout)
    return PodmanEngine.behind(docker) if PART in docker.parts else docker
