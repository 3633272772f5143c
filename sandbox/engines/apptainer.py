"""Apptainer from 1.3 on, which has no daemon and needs no root: containers are processes and folders of this user's."""

import contextlib
import os
import platform
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from sandbox.engines import _apptainer_images as images
from sandbox.engines import _apptainer_probe as probe
from sandbox.engines._apptainer_command import environment, refusal, run_command
from sandbox.engines._apptainer_containers import ContainerFolders, alive, size
from sandbox.engines._apptainer_process import ContainerProcess, ProcessBounds, began, signal_tree
from sandbox.engines._errors import EngineRefused, EngineSilent
from sandbox.engines._image_files import path_stat
from sandbox.engines._protocol import Attached, ContainerState, ListedContainer, PathStat
from sandbox.options import OUTPUT, WORK

FOLDER = "PROCTOR_APPTAINER_DIR"
"""The variable that names the folder of images and containers: on a disk of this host, with space for both."""
_PROGRAM = "apptainer"


def folder() -> Path:
    """Where images and containers are."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(FOLDER) or cache / "proctor" / "apptainer")


class ApptainerEngine:
    """A `ContainerEngine` of this process: only what it started itself can it wait for."""

    kind = "apptainer"
    needs_root = False
    takes_disks = False
    knows_layers = False

    def __init__(self, version: str, top: Path, *, timeout: float = 60) -> None:
        self.version, self.timeout = version, timeout
        self._images, self._kept = top / "images", ContainerFolders(top / "containers")
        self._running: dict[str, ContainerProcess] = {}
        self._tried: set[bool] = set()
        self._trying = threading.Lock()

    @classmethod
    def connect(cls, *, timeout: int = 60) -> Self:
        """The Apptainer that is installed on this host.

        Raises:
            EngineSilent: there is none, it is too old, or its folder cannot be made.
        """
        engine = cls(probe.version(_PROGRAM, timeout), folder(), timeout=timeout)
        try:
            for path in (engine._images, engine._kept.top):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise EngineSilent(f"{FOLDER}: {error}") from error
        return engine

    def close(self) -> None:
        """Nothing is left to do: there is no connection."""

    def ping(self) -> None:
        """Return if it answers."""
        probe.version(_PROGRAM, self.timeout)

    def info(self) -> dict[str, Any]:
        """What is known of it and of this host, under the names of Docker's `GET /info`."""
        return {
            "Engine": "Apptainer",
            "ServerVersion": self.version,
            "OSType": "linux",
            "Architecture": platform.machine(),
            "NCPU": len(os.sched_getaffinity(0)),
            "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "DockerRootDir": str(self._images.parent),
            "Driver": "overlay",
            "Runtimes": {"runc": {"path": _PROGRAM}},
        }

    def inspect_image(self, image: str) -> dict[str, Any]:
        """The description of an image."""
        return images.find(self._images, image)[0]

    def load(self, archive: BinaryIO) -> str | None:
        """Take an archive; what Apptainer says where it makes no folder of it."""
        return images.load(_PROGRAM, self._images, archive)

    def remove_image(self, image: str, *, force: bool = False) -> None:
        """Remove an image; without `force` refused as a conflict where there is a container of it."""
        told, files = images.find(self._images, image)
        if not force and any(self._kept.told(name)["image"] == told["Id"] for name in self._kept.names()):
            raise EngineRefused(409, f"there is a container of {image}")
        images.remove(files.parent)

    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Make a container; its id, which is its name. The first one is tried with a known program before."""
        if (problem := refusal(config)) is not None:
            raise EngineRefused(503, problem)
        told, files = images.find(self._images, config["Image"])
        entry = config.get("Entrypoint") or told["Config"].get("Entrypoint") or []
        argv = [
            *entry,
            *(config["Cmd"] or ([] if "Entrypoint" in config else told["Config"].get("Cmd") or [])),
        ]
        if not argv:
            raise EngineRefused(400, "no command specified")
        self._try(config)
        self._kept.make(
            name, {"image": told["Id"], "files": str(files), "config": dict(config), "argv": argv}
        )
        return name

    def fill(self, container: str, disks: Mapping[str, Path]) -> None:
        """Nothing is left to do: what an image holds is there, and nothing covers it."""

    def look(self, image: str, name: str) -> None:
        """Make a container that nobody will start."""
        told, files = images.find(self._images, image)
        self._kept.make(name, {"image": told["Id"], "files": str(files)})

    def start(self, container: str) -> None:
        """Start it."""
        told = self._kept.told(container)
        if "argv" not in told or "pid" in told:
            raise EngineRefused(409, f"{container} is not to be started")
        config, places = told["config"], self._kept.places(container, told)
        host = config["HostConfig"]
        bounds = ProcessBounds(
            host["Memory"], host["PidsLimit"], int(host["LogConfig"]["Config"]["max-size"])
        )
        command = run_command(_PROGRAM, config, places, told["argv"])
        try:
            process = ContainerProcess(command, environment(config), bounds)
        except OSError as error:
            raise EngineRefused(400, str(error)) from error  # an argument or a variable that is too long, say
        self._running[container] = process
        self._kept.tell(container, told | {"pid": process.pid, "began": began(process.pid)})

    def wait(self, container: str, seconds: float | None = None) -> int:
        """Its exit code, once it has ended."""
        code = self._process(container).wait(seconds)
        if code is None:
            raise EngineSilent(f"{container} still runs after {seconds:g} seconds")
        return code

    def kill(self, container: str) -> None:
        """SIGKILL, which whoever asks for it is told as a kill."""
        self._signal(container, signal.SIGKILL)

    def pause(self, container: str) -> None:
        """SIGSTOP for all of its processes."""
        self._signal(container, signal.SIGSTOP)

    def unpause(self, container: str) -> None:
        """SIGCONT for all of them."""
        self._signal(container, signal.SIGCONT)

    def remove(self, container: str) -> None:
        """Kill it, wait until it has ended, and remove what it wrote."""
        told = self._kept.told(container)
        with contextlib.suppress(EngineRefused):
            self.kill(container)
        if (process := self._running.pop(container, None)) is not None:
            process.wait(self.timeout)
        elif alive(told):
            raise EngineSilent(f"{container} does not end")
        self._kept.remove(container)

    def state(self, container: str) -> ContainerState:
        """How it is; `started` is when Apptainer was, some tenths of a second before the program."""
        told, process = self._kept.told(container), self._running.get(container)
        code = process.exit_code if process else None
        running = code is None if process else alive(told)
        return ContainerState(
            id=container,
            name=container,
            running=running,
            pid=int(told["pid"]) if running else 0,
            exit_code=code or 0,
            oom_killed=process is not None and process.over_memory,
            started=_stamp(process.started if process else None),
            finished=_stamp(process.finished if process else None),
            upper=None,
            beside=(),
        )

    def attach(self, container: str) -> Attached:
        """Refused: a container of many cases is not made either."""
        raise EngineRefused(503, "one container for many cases is not run on Apptainer")

    def logs(self, container: str, tail: int) -> bytes:
        """The last `tail` bytes of what it wrote."""
        self._kept.told(container)
        process = self._running.get(container)
        return process.text(tail) if process else b""

    def stat(self, container: str, path: str) -> PathStat | None:
        """What stands at a path of its image."""
        try:
            return path_stat(Path(self._kept.told(container)["files"]), path)
        except OSError as error:
            raise EngineRefused(400, f"a path of the image cannot be followed: {error}") from error

    @contextmanager
    def read(self, container: str, path: str) -> Iterator[BinaryIO]:
        """What stands below /output, of a container that has ended; links are told, never followed."""
        places = self._kept.places(container, self._kept.told(container))
        parts = [part for part in path.split("/") if part]
        if len(parts) > 2 or parts[:1] != [OUTPUT[1:]] or ".." in parts:
            raise EngineRefused(400, f"{path} is not read from here")
        where, name = (places.output, parts[1]) if len(parts) > 1 else (places.output.parent, OUTPUT[1:])
        if not os.path.lexists(where / name):
            raise EngineRefused(404, f"no such file: {path}")
        command = ["tar", "--create", "--file=-", f"--directory={where}", "--", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing:
            try:
                yield cast(BinaryIO, packing.stdout)  # it is a pipe
            finally:
                packing.kill()

    def write(self, container: str, archive: bytes) -> None:
        """Take the folders that every container has; nothing else is ours to write."""
        self._kept.told(container)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            others = [one.name for one in tar if not one.isdir() or f"/{one.name}" not in (OUTPUT, WORK)]
        if others:
            raise EngineRefused(400, f"{others[0]} cannot be written into a container of Apptainer")

    def written(self, container: str) -> int:
        """Bytes on the disk in its folders."""
        places = self._kept.places(container, self._kept.told(container))
        return sum(map(size, (places.upper, places.output, places.work)))

    def was_killed(self, container: str, since: float, until: float) -> bool:
        """Whether this process, or another that knows it by its folder, was told to kill it."""
        killed = self._kept.told(container).get("killed")
        return killed is not None and since <= killed <= until

    def group(self, container: str) -> str:
        """Its name: it has no group of its own."""
        return container

    def containers(self) -> list[ListedContainer]:
        """All containers, of other processes of this user too."""
        return [ListedContainer(name, self._word(name)) for name in self._kept.names()]

    def volumes(self) -> list[str]:
        """None: there are none."""
        return []

    def remove_volume(self, volume: str) -> None:
        """Refused, for there are none."""
        raise EngineRefused(404, f"no such volume: {volume}")

    def _try(self, config: Mapping[str, Any]) -> None:
        """Once with and once without a GPU."""
        gpu = bool(config["HostConfig"]["DeviceRequests"])
        with self._trying:
            if gpu not in self._tried:
                probe.runs(_PROGRAM, config, self._kept.top, self.timeout)
                self._tried.add(gpu)

    def _process(self, container: str) -> ContainerProcess:
        self._kept.told(container)
        if container not in self._running:
            raise EngineRefused(409, f"{container} was not started by this process")
        return self._running[container]

    def _signal(self, container: str, number: signal.Signals) -> None:
        told = self._kept.told(container)
        if not self._word(container) == "running":
            raise EngineRefused(409, f"{container} does not run")
        if number is signal.SIGKILL:
            self._kept.tell(container, told | {"killed": time.time()})
        signal_tree(int(told["pid"]), number)

    def _word(self, container: str) -> str:
        told = self._kept.told(container)
        if "pid" not in told:
            return "created"
        process = self._running.get(container)
        runs = process.exit_code is None if process else alive(told)
        return "running" if runs else "exited"


def _stamp(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
