"""What a container engine does for the sandbox, whichever it is."""

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol


@dataclass(frozen=True)
class ContainerState:
    """A container as its engine describes it.

    `pid` is its first process on the engine's host, 0 where it does not run. `oom_killed` is what the engine saw of the
    kernel's memory killer, which it may miss. `upper` is the folder of its writable layer, None where the engine names
    none; `beside` are files of the engine's own that it mounts into it, which it can write to.
    """

    id: str
    name: str
    running: bool
    pid: int
    exit_code: int
    oom_killed: bool
    started: datetime | None
    finished: datetime | None
    upper: Path | None
    beside: tuple[Path, ...]


@dataclass(frozen=True)
class ListedContainer:
    """A row of the list of containers; `state` is the engine's word: created, running, exited."""

    name: str
    state: str


@dataclass(frozen=True)
class PathStat:
    """What stands at a path of a container: `link` is where a link leads to, `special` is no file, folder or link."""

    size: int
    link: str | None
    special: bool


@dataclass(frozen=True)
class Attached:
    """Standard input and output of a container over one socket, in frames of a stream number, a length and bytes."""

    socket: socket.socket
    close: Callable[[], None]


class ContainerEngine(Protocol):
    """One connection to an engine, usable from several threads.

    Every method raises `EngineRefused` where the engine says no, `EngineSlow` where it takes longer than `timeout`
    seconds, and `EngineSilent` where there is no answer. Images, containers and volumes go by id or name.
    """

    kind: str
    """What it is called where a person chooses it."""
    needs_root: bool
    """Whether bounds hold only where this process makes disks and reads control groups."""
    takes_disks: bool
    """Whether disks and control groups that root makes here can be given to its containers."""
    knows_layers: bool
    """Whether `load` takes an archive that lacks layers which the engine has, in place, of another image."""
    timeout: float

    def close(self) -> None:
        """Close the connection."""

    def ping(self) -> None:
        """Return if the engine answers."""

    def info(self) -> dict[str, Any]:
        """What it says of itself and its host, under the names of Docker's `GET /info`."""

    def inspect_image(self, image: str) -> dict[str, Any]:
        """The description of an image: `Id`, `Os`, `Architecture` and its `Config`."""

    def load(self, archive: BinaryIO) -> str | None:
        """Take an archive as `docker save` writes it, for up to an hour; what the engine says where that fails."""

    def remove_image(self, image: str, *, force: bool = False) -> None:
        """Remove an image; without `force` refused as a conflict where there is a container of it."""

    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Make a container, which is not started; its id. `config` is what `sandbox.options` builds."""

    def fill(self, container: str, disks: Mapping[str, Path]) -> None:
        """Have what the image of a container that was just made holds at these places on the disks that cover them."""

    def look(self, image: str, name: str) -> None:
        """Make a container of an image that nobody will start, to look into it."""

    def start(self, container: str) -> None:
        """Start it."""

    def wait(self, container: str, seconds: float | None = None) -> int:
        """Its exit code, once it has ended; for so many seconds at most."""

    def kill(self, container: str) -> None:
        """SIGKILL for its processes."""

    def pause(self, container: str) -> None:
        """Let none of its processes run."""

    def unpause(self, container: str) -> None:
        """Let them run again."""

    def remove(self, container: str) -> None:
        """Kill and remove it, with its anonymous volumes."""

    def state(self, container: str) -> ContainerState:
        """How it is."""

    def attach(self, container: str) -> Attached:
        """Its standard input and output, before it starts."""

    def logs(self, container: str, tail: int) -> bytes:
        """The last `tail` bytes of what it wrote to standard output and error so far."""

    def stat(self, container: str, path: str) -> PathStat | None:
        """What stands at an absolute path, with links of folders followed; None where there is nothing."""

    def read(self, container: str, path: str) -> AbstractContextManager[BinaryIO]:
        """What stands at an absolute path, and below it, as an uncompressed tar that cannot seek."""

    def write(self, container: str, archive: bytes) -> None:
        """Unpack a tar at the root of a container that was not started."""

    def written(self, container: str) -> int:
        """Bytes in its writable layer."""

    def was_killed(self, container: str, since: float, until: float) -> bool:
        """Whether anybody told the engine to kill it between two times of `time.time()`."""

    def group(self, container: str) -> str:
        """The name of the control group of a container, by its id, below the parent that its options give it."""

    def containers(self) -> list[ListedContainer]:
        """All containers, running or not."""

    def volumes(self) -> list[str]:
        """The names of all volumes."""

    def remove_volume(self, volume: str) -> None:
        """Remove a volume."""
