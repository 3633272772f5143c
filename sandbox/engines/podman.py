"""Podman from 4.3 on, through the socket of `podman system service`.

Images and lists are asked for by Docker's API, which it speaks too; containers are made and started by its own.
"""

import functools
import io
import json
import math
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

from sandbox.engines._errors import EngineRefused, EngineSilent
from sandbox.engines._image_files import copy_folder, path_stat, resolved
from sandbox.engines._podman_files import files
from sandbox.engines._podman_spec import specification, unknown
from sandbox.engines._protocol import PathStat
from sandbox.engines.docker import DockerEngine, asks
from sandbox.options import OUTPUT, WORK

PART = "Podman Engine"
"""What it calls itself among the programs that answer."""
_OWN = "/v4.0.0/libpod"
_ROOTS = "unix:///run/podman/podman.sock"
_INITS = ("/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit", "/usr/bin/catatonit")
_ORDINARY = ("crun", "runc")


def address() -> str:
    """Where Podman answers: `CONTAINER_HOST`, as its own client has it, else root's or this user's socket."""
    given = os.environ.get("CONTAINER_HOST")
    if given:
        return given
    own = os.environ.get("XDG_RUNTIME_DIR")
    return f"unix://{own}/podman/podman.sock" if own and os.geteuid() else _ROOTS


class PodmanEngine(DockerEngine):
    """A `ContainerEngine` behind the socket of Podman."""

    kind = "podman"
    needs_root = True
    knows_layers = False

    @classmethod
    def connect(cls, where: str | None = None, *, timeout: int = 60) -> Self:
        """Connect to `where`, else to the socket that Podman's own client would take."""
        found = super().connect(where or address(), timeout=timeout)
        if PART not in found.parts:
            found.close()
            raise EngineSilent(f"what answers at {where or address()} is not Podman")
        return found

    @classmethod
    def behind(cls, found: DockerEngine) -> Self:
        """The engine that was found where Docker was looked for."""
        return cls(*found.connections, found.parts)

    def info(self) -> dict[str, Any]:
        """What it says of itself, with what it does not: its init program, and the one runtime that it has."""
        said = super().info()
        runtime = Path(str(said.get("DefaultRuntime") or "")).name
        name = "runc" if runtime in _ORDINARY else runtime
        return said | {
            "Engine": "Podman",
            "InitBinary": next((path for path in _INITS if Path(path).is_file()), ""),
            "Runtimes": {name: {"path": runtime}} if name else {},
        }

    @asks
    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Make a container; its id."""
        wanted, known = config["HostConfig"]["Runtime"], self._runtimes
        if wanted not in known:
            raise EngineRefused(503, f"Podman runs {', '.join(known)}, and {wanted} was asked for")
        if lost := unknown(config):
            raise EngineRefused(503, f"options that are not known for Podman: {', '.join(lost)}")
        for mount in config["HostConfig"]["Mounts"]:
            if mount["Type"] == "volume":
                driver = mount["VolumeOptions"]["DriverConfig"]
                self._api.create_volume(mount["Source"], driver=driver["Name"], driver_opts=driver["Options"])
        made = self._own("/containers/create", specification(config, name, files()))
        return str(json.loads(made)["Id"])

    @asks
    def fill(self, container: str, disks: Mapping[str, Path]) -> None:
        """Copy what the image has. Podman would do so at the start, and never end where the disk is too small."""
        with self._seen(container) as root:
            for target, disk in disks.items():
                copy_folder(root / resolved(root, target, last=True)[1:], disk, self.timeout)

    @asks
    def look(self, image: str, name: str) -> None:
        """Make a container that nobody will start."""
        self._own("/containers/create", {"image": image, "name": name, "command": ["-"], "entrypoint": ["-"]})

    @asks
    def start(self, container: str) -> None:
        """Start it. Podman gives a disk the mode of the folder in the image that it covers: ours are for everybody."""
        self._own(f"/containers/{container}/init")
        said = self._told(f"/containers/{container}/json")
        for mount in said["Mounts"]:
            if mount["Type"] == "volume" and mount["Destination"] in (OUTPUT, WORK):
                Path(mount["Source"]).chmod(0o1777)
        self._own(f"/containers/{container}/start")

    @functools.cached_property
    def _runtimes(self) -> dict[str, Any]:
        return dict(self.info()["Runtimes"])

    @asks
    def stat(self, container: str, path: str) -> PathStat | None:
        """What stands at a path, looked at where Podman mounts it: its own answer is about where a link leads to."""
        with self._seen(container) as root:
            return path_stat(root, path)

    @contextmanager
    def read(self, container: str, path: str) -> Iterator[BinaryIO]:
        """What stands at a path, as a tar: a link as a link, where Podman would take what it leads to."""
        found = self.stat(container, path)
        if found is not None and found.link is not None:
            yield _link(path, found.link)
            return
        with super().read(container, path) as stream:
            yield stream

    @contextmanager
    def _seen(self, container: str) -> Iterator[Path]:
        """The file system of a container that does not run, on this host; a path that cannot be followed is refused."""
        root = Path(self._own(f"/containers/{container}/mount").strip().strip('"'))
        try:
            if not root.is_dir():
                raise EngineSilent(f"{root}, where Podman mounts a container, cannot be seen from here")
            yield root
        except OSError as error:
            raise EngineRefused(400, f"a path of the image cannot be followed: {error}") from error
        finally:
            self._own(f"/containers/{container}/unmount")

    def _span(self, since: float, until: float) -> tuple[int | str, int | str]:
        """Whole seconds: it finds nothing between others."""
        return math.floor(since), math.ceil(until)

    def group(self, container: str) -> str:
        """The name of its control group below the parent that it was given."""
        return f"libpod-{container}"

    def _own(self, path: str, body: object = None) -> str:
        """A call of Podman's own API."""
        url = f"{self._api.base_url}{_OWN}{path}"
        data = None if body is None else json.dumps(body)
        answer = self._api._post(url, data=data, headers={"Content-Type": "application/json"})
        self._api._raise_for_status(answer)
        return str(answer.text)

    def _told(self, path: str) -> dict[str, Any]:
        answer = self._api._get(f"{self._api.base_url}{_OWN}{path}")
        self._api._raise_for_status(answer)
        return dict(answer.json())


def _link(path: str, target: str) -> BinaryIO:
    """A tar with one link in it."""
    member = tarfile.TarInfo(path.rpartition("/")[2])
    member.type, member.linkname = tarfile.SYMTYPE, target
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(member)
    out.seek(0)
    return out
