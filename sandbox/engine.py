"""The container engine of this host: connection, images, containers by name, and the removal of orphans."""

import contextlib
import functools
import re
import time
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, Self

from evaluator.verdicts import PlatformFault
from sandbox import cgroups, disks
from sandbox.archive import canonical_name
from sandbox.engines import ContainerEngine, EngineRefused, EngineTrouble, connect
from sandbox.faults import EngineFault

NO_ANSWER = frozenset({401, 403, 407, 409, 502, 503, 504})
"""Statuses that say nothing of an image: who asks may not, the name is taken, or a gateway finds no engine."""
_REMOVAL = 30.0
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
    except (EngineTrouble, OSError) as error:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"{doing}: {error}") from error


class Engine:
    """One connection to the engine, usable from several threads. Every method raises `EngineFault`.

    `raw` is the same connection for those who have to tell a refusal from silence: its methods raise what
    `sandbox.engines` says.
    """

    def __init__(self, raw: ContainerEngine, *, privileged: bool) -> None:
        self.raw = raw
        self.privileged = privileged

    @classmethod
    def connect(cls, kind: str | None = None, *, timeout: int = 60, privileged: bool | None = None) -> Self:
        """Connect to the engine of this kind, as `sandbox.engines` does; `timeout` seconds for each answer.

        `privileged` says whether this process makes bounded disks, reads control groups and looks into the
        engine's directories; by default it does where it can.
        """
        with translate("connecting"):
            raw = connect(kind, timeout=timeout)
            wanted = disks.supported() if privileged is None else privileged
            engine = cls(raw, privileged=wanted and raw.takes_disks)
        if engine.raw.needs_root and not engine.privileged:
            engine.close()
            name = engine.raw.kind.capitalize()
            text = f"{name} runs cases for root alone, with mkfs.ext4 and loop devices; else bounds would not hold"
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, text)
        return engine

    def close(self) -> None:
        """Close the connections."""
        self.raw.close()

    def ping(self) -> None:
        """Return if the engine answers."""
        with translate("ping"):
            self.raw.ping()

    def info(self) -> dict[str, Any]:
        """What the engine says of itself and of its host."""
        with translate("info"):
            return self.raw.info()

    @functools.cached_property
    def host(self) -> dict[str, Any]:
        """`info()` as it was at the first use: what does not change while an engine runs."""
        return self.info()

    def inspect_image(self, digest: str) -> dict[str, Any]:
        """The engine's description of an image; `image_missing` if it is not on this host."""
        with translate("inspecting an image"):
            try:
                return self.raw.inspect_image(digest)
            except EngineRefused as error:
                if not error.is_missing:
                    raise
                raise EngineFault(PlatformFault.IMAGE_MISSING, error.said) from error

    def has_image(self, digest: str) -> bool:
        """Whether the image with this id (sha256:…) is on this host."""
        try:
            return bool(self.inspect_image(digest)["Id"] == digest)
        except EngineFault as fault:
            if fault.fault is PlatformFault.IMAGE_MISSING:
                return False
            raise

    @property
    def knows_layers(self) -> bool:
        """Whether an archive may leave out layers that the engine has of another image."""
        return self.raw.knows_layers

    def layers(self, digest: str) -> tuple[str, ...]:
        """The digests of an image's unpacked layers from the bottom up; none if it is not on this host."""
        try:
            return tuple(self.inspect_image(digest)["RootFS"].get("Layers") or ())
        except EngineFault as fault:
            if fault.fault is PlatformFault.IMAGE_MISSING:
                return ()
            raise

    def try_load(self, archive: BinaryIO, digest: str) -> str | None:
        """Give an archive to the engine; what it says if the image is not there afterwards, else None.

        Raises:
            EngineFault: the engine does not answer.
        """
        archive.seek(0)
        with translate("loading an image"):
            try:
                problem = self.raw.load(archive)
            except EngineRefused as error:
                if error.status in NO_ANSWER:
                    raise
                return error.said
        if problem is not None:
            return problem
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
        with translate("removing an image"), _gone_is_fine():
            self.raw.remove_image(digest, force=True)

    def untag(self, digest: str) -> bool:
        """Remove an image under our own name for it, with its layers unless others need them.

        Returns False, and removes nothing, where there is a container of it, whoever made that.
        """
        with translate("removing an image"):
            try:
                self.raw.remove_image(canonical_name(digest))
            except EngineRefused as error:
                if not (error.is_missing or error.is_conflict):
                    raise
                return error.is_missing
        return True

    def kill_container(self, name: str) -> bool:
        """SIGKILL for a container; False where it is not there or does not run, which is fine."""
        with translate("killing a container"):
            try:
                self.raw.kill(name)
            except EngineRefused:
                if self._runs(name):
                    raise
                return False
        return True

    def remove_container(self, name: str) -> None:
        """Kill and remove a container with its anonymous volumes; one that is not there is fine."""
        with translate("removing a container"), _gone_is_fine():
            try:
                self.raw.remove(name)
            except EngineRefused as error:
                if not (error.is_conflict and self._goes(name)):  # somebody else is removing it
                    raise

    def _runs(self, name: str) -> bool:
        """Whether there is such a container and it runs: what it means that it is not killed, whatever is said."""
        try:
            return self.raw.state(name).running
        except EngineRefused as error:
            if not error.is_missing:
                raise
            return False

    def _goes(self, name: str) -> bool:
        """Whether a container is gone within half a minute."""
        deadline = time.monotonic() + _REMOVAL
        while name in {one.name for one in self.raw.containers()}:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is not there is fine."""
        with translate("removing a volume"), _gone_is_fine():
            self.raw.remove_volume(name)

    def remove_orphans(self, prefix: str, keep: Collection[str]) -> list[str]:
        """Remove what dead workers left: containers, volumes, loop devices, cgroups of cases not in `keep`.

        `prefix` starts the container names (`proctor-`); the rest has to be `<case run id>-<claim_no>`, so
        that no other container of the host is touched. Returns the removed names, sorted.
        """
        ours = re.compile(rf"({re.escape(prefix)}{_JOB})(?:\..*)?")
        with translate("listing orphans"):
            containers = [one.name for one in self.raw.containers()]
            volumes = self.raw.volumes()

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


@contextlib.contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except EngineRefused as error:
        if not error.is_missing:
            raise
