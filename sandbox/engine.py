"""The container engine of this host: connection, images, containers by name, and the removal of orphans."""

import contextlib
import functools
import json
import re
from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any, BinaryIO, Self, cast

import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env

from docker import APIClient
from evaluator.verdicts import PlatformFault
from sandbox import cgroups, disks
from sandbox.archive import canonical_name
from sandbox.faults import EngineFault, shortened

NO_ANSWER = frozenset({401, 403, 407, 409, 502, 503, 504})
"""Statuses that say nothing of an image: who asks may not, the name is taken, or a gateway finds no engine."""
_LOAD_SECONDS = 3600
_OTHER_IDS = (
    "; where the engine keeps images in containerd's store their ids differ: "
    'set {"features": {"containerd-snapshotter": false}} in its daemon.json'
)
_JOB = r"[0-9a-f-]{32,36}-\d+"  # <case run id>-<claim_no>: never the name of somebody else's container


@contextlib.contextmanager
def translate(doing: str) -> Iterator[None]:
    """Turn any trouble with the engine into `EngineFault(engine_unavailable)`, naming what was being done."""
    try:
        yield
    except ImageNotFound as error:
        raise EngineFault(PlatformFault.IMAGE_MISSING, f"{doing}: {error.explanation}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"{doing}: {error}") from error


class Engine:
    """One connection to the engine, usable from several threads. Every method raises `EngineFault`."""

    def __init__(self, api: APIClient, slow: APIClient, *, privileged: bool) -> None:
        self.api: Any = api  # its stubs lack half of the calls
        self._slow: Any = slow
        self.privileged = privileged

    @classmethod
    def connect(cls, *, timeout: int = 60, privileged: bool | None = None) -> Self:
        """Connect to `DOCKER_HOST`, or to the default socket; `timeout` seconds for each answer.

        `privileged` says whether this process makes bounded disks, reads control groups and looks into the
        engine's directories; by default it does where it can.
        """
        with translate("connecting"):
            where = kwargs_from_env()
            api = APIClient(**where, version="auto", timeout=timeout)
            slow = APIClient(**where, version="auto", timeout=_LOAD_SECONDS)
            return cls(api, slow, privileged=disks.supported() if privileged is None else privileged)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()
        self._slow.close()

    def ping(self) -> None:
        """Return if the engine answers."""
        with translate("ping"):
            self.api.ping()

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and of its host."""
        with translate("info"):
            return cast(dict[str, Any], self.api.info())

    @functools.cached_property
    def host(self) -> dict[str, Any]:
        """`info()` as it was at the first use: what does not change while an engine runs."""
        return self.info()

    def inspect_image(self, digest: str) -> dict[str, Any]:
        """The engine's description of an image; `image_missing` if it is not on this host."""
        with translate("inspecting an image"):
            return cast(dict[str, Any], self.api.inspect_image(digest))

    def has_image(self, digest: str) -> bool:
        """Whether the image with this id (sha256:…) is on this host."""
        try:
            return bool(self.inspect_image(digest)["Id"] == digest)
        except EngineFault as fault:
            if fault.fault is PlatformFault.IMAGE_MISSING:
                return False
            raise

    def try_load(self, archive: BinaryIO, digest: str) -> str | None:
        """Give an archive to the engine; what it says if the image is not there afterwards, else None.

        Raises:
            EngineFault: the engine does not answer.
        """
        archive.seek(0)
        with translate("loading an image"):
            try:
                for line in self._slow.load_image(archive, quiet=True):
                    if (problem := _load_error(line)) is not None:
                        return problem
            except APIError as error:
                if error.status_code in NO_ANSWER:
                    raise
                return explanation(error)
        return self._other_than(digest)

    def _other_than(self, digest: str) -> str | None:
        """What is wrong with the image that an archive left under our name for it."""
        try:
            loaded = self.inspect_image(canonical_name(digest))["Id"]
        except EngineFault as fault:
            if fault.fault is not PlatformFault.IMAGE_MISSING:
                raise
            return "it says nothing, and the image is not there"
        if loaded == digest:
            return None
        self.remove_image(canonical_name(digest))
        return f"the loaded image is {loaded}, not {digest}{_OTHER_IDS}"

    def remove_image(self, digest: str) -> None:
        """Remove an image by id or name; one that is not there is fine."""
        with translate("removing an image"), contextlib.suppress(NotFound):
            self.api.remove_image(digest, force=True)

    def untag(self, digest: str) -> bool:
        """Remove an image under our own name for it, with its layers unless others need them.

        Returns False, and removes nothing, where there is a container of it, whoever made that.
        """
        with translate("removing an image"):
            try:
                self.api.remove_image(canonical_name(digest))
            except NotFound:
                return True
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    def kill_container(self, name: str) -> bool:
        """SIGKILL for a container; False where it is not there or does not run, which is fine."""
        with translate("killing a container"):
            try:
                self.api.kill(name)
            except APIError as error:
                if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise
                return False
        return True

    def remove_container(self, name: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that is not there is fine."""
        with translate("removing a container"), contextlib.suppress(NotFound):
            self.api.remove_container(name, v=True, force=True)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is not there is fine."""
        with translate("removing a volume"), contextlib.suppress(NotFound):
            self.api.remove_volume(name)

    def remove_orphans(self, prefix: str, keep: Collection[str]) -> list[str]:
        """Remove what dead workers left: containers, volumes, loop devices, cgroups of cases not in `keep`.

        `prefix` starts the container names (`proctor-`); the rest has to be `<case run id>-<claim_no>`, so
        that no other container of the host is touched. Returns the removed names, sorted.
        """
        ours = re.compile(rf"({re.escape(prefix)}{_JOB})(?:\..*)?")
        with translate("listing orphans"):
            containers = [
                name.lstrip("/") for container in self.api.containers(all=True) for name in container["Names"]
            ]
            volumes = [volume["Name"] for volume in self.api.volumes()["Volumes"] or ()]

        def orphan(name: str) -> bool:
            match = ours.fullmatch(name)
            return match is not None and match[1] not in keep

        removed = [name for name in containers if orphan(name)]
        for name in removed:
            self.remove_container(name)
        stale = [name for name in volumes if orphan(name)]
        for name in stale:
            self.remove_volume(name)
        removed += stale + disks.remove_orphans(orphan)
        cgroups.remove_orphans(orphan)
        return sorted(removed)


def _load_error(line: Any) -> str | None:
    message = json.loads(line) if isinstance(line, bytes | str) else line
    if not isinstance(message, dict):
        return None
    detail = message.get("errorDetail") or {}
    said = message.get("error") or (str(detail.get("message") or detail) if detail else None)
    return None if said is None else shortened(str(said))


def explanation(error: APIError) -> str:
    """The engine's own sentence in an API error."""
    return shortened(str(error.explanation or error))
