"""Podman from 4.3 on, through the socket of `podman system service`.

Images and lists are asked for by Docker's API, which it speaks too; containers are made and started by its own.
"""

import functools
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sandbox import seccomp
from sandbox.engines._errors import EngineRefused, EngineSilent
from sandbox.engines._podman_spec import specification, unknown
from sandbox.engines.docker import DockerEngine, asks

PART = "Podman Engine"
"""What it calls itself among the programs that answer."""
_OWN = "/v4.0.0/libpod"
_ROOTS = "unix:///run/podman/podman.sock"
_INITS = ("/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit", "/usr/bin/catatonit")
_ORDINARY = ("crun", "runc")
_HOSTS = "127.0.0.1\tlocalhost proctor\n::1\tlocalhost\n"


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
    _files: tempfile.TemporaryDirectory[str] | None = None

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

    def close(self) -> None:
        """Close the connections."""
        super().close()
        if self._files is not None:
            self._files.cleanup()

    def info(self) -> dict[str, Any]:
        """What it says of itself, with what it does not: its init program, and the one runtime that it has."""
        said = super().info()
        runtime = str(said.get("DefaultRuntime") or "")
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
        return str(self._own("/containers/create", specification(config, name, self._ours()))["Id"])

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
            if mount["Type"] == "volume" and "nocopy" in (mount.get("Options") or ()):
                Path(mount["Source"]).chmod(0o1777)
        self._own(f"/containers/{container}/start")

    @functools.cached_property
    def _runtimes(self) -> dict[str, Any]:
        return dict(self.info()["Runtimes"])

    def _span(self, since: float, until: float) -> tuple[int | str, int | str]:
        """Whole seconds: it finds nothing between others."""
        return math.floor(since), math.ceil(until)

    def group(self, container: str) -> str:
        """The name of its control group below the parent that it was given."""
        return f"libpod-{container}"

    def _own(self, path: str, body: object = None) -> dict[str, Any]:
        """A call of Podman's own API."""
        url = f"{self._api.base_url}{_OWN}{path}"
        data = None if body is None else json.dumps(body)
        answer = self._api._post(url, data=data, headers={"Content-Type": "application/json"})
        self._api._raise_for_status(answer)
        return dict(answer.json()) if answer.text else {}

    def _told(self, path: str) -> dict[str, Any]:
        answer = self._api._get(f"{self._api.base_url}{_OWN}{path}")
        self._api._raise_for_status(answer)
        return dict(answer.json())

    def _ours(self) -> dict[str, Path]:
        """Files that every container is given, by their name or path inside."""
        if self._files is None:
            self._files = tempfile.TemporaryDirectory(prefix="proctor-podman-")
            Path(self._files.name).chmod(0o711)
            for name, text in (
                ("seccomp", seccomp.profile()),
                ("hosts", _HOSTS),
                ("hostname", "proctor\n"),
                ("empty", ""),
            ):
                file = Path(self._files.name) / name
                file.write_text(text)
                file.chmod(0o444)
        top = Path(self._files.name)
        return {
            "seccomp": top / "seccomp",
            "/etc/hosts": top / "hosts",
            "/etc/hostname": top / "hostname",
            "/run/.containerenv": top / "empty",
        }
