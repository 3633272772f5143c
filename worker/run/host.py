"""What the slots of one host share: who is alive, what is orphaned or overdue, who loads an image, who runs alone.

A living slot holds a file lock, which the kernel drops when the process dies, however it dies.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PREFIX = "proctor-"
_DEADLINE = "deadline"


class SlotTaken(Exception):
    """Another living worker on this host has the same slot name."""


class GpuTaken(Exception):
    """Another living worker on this host has the same GPU."""


class HostFolder:
    """The shared folder of all run workers on a host."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("slots", "gpus", "images", "scratch", "turns"):
            (root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._id = self._installation()

    def _installation(self) -> str:
        """Eight hex digits that tell this folder's containers from those of another installation on the engine."""
        path = self.root / "installation"
        fresh = self.root / f".installation-{os.getpid()}"
        if not path.exists():
            fresh.write_text(uuid.uuid4().hex[:8])
            with contextlib.suppress(FileExistsError):  # another slot of this host was first
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text()

    def take_slot(self, name: str) -> int:
        """Marks the slot as alive for as long as this process lives; returns the lock's descriptor.

        Raises:
            SlotTaken: a living process holds it.
        """
        handle = _locked(self.root / "slots" / name)
        if handle is None:
            raise SlotTaken(f"slot {name!r} is in use by another worker on this host")
        return handle

    def take_gpu(self, uuid: str) -> int:
        """Marks a GPU as this process's own, as `take_slot` does: no two slots share one, nor do two teams.

        Raises:
            GpuTaken: a living process has it.
        """
        handle = _locked(self.root / "gpus" / uuid.replace("/", "-"))
        if handle is None:
            raise GpuTaken(
                f"GPU {uuid} is that of another slot on this host: give each slot a GPU of its own"
            )
        return handle

    def living_slots(self) -> list[str]:
        """Slots that have a worker now."""
        return sorted(path.name for path in (self.root / "slots").iterdir() if not self._is_dead(path))

    def dead_slots(self, but: str | None = None) -> list[str]:
        """Slots whose worker is gone, all but the one that asks."""
        return [
            path.name for path in (self.root / "slots").iterdir() if path.name != but and self._is_dead(path)
        ]

    @staticmethod
    def _is_dead(path: Path) -> bool:
        with path.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def container_prefix(self, slot: str) -> str:
        """How the names of a slot's containers begin."""
        return f"{PREFIX}{self._id}-{slot}-"

    def scratch(self, slot: str) -> Path:
        """The slot's scratch folder."""
        return self.root / "scratch" / slot

    def scratches(self, slot: str) -> list[Path]:
        """One folder for each case that the slot has begun and not cleared away."""
        folder = self.scratch(slot)
        return list(folder.iterdir()) if folder.is_dir() else []

    def is_warm(self, digest: str) -> bool:
        """Whether the image's uncounted run was made since this host started."""
        path = self._warm_mark(digest)
        return path.is_file() and path.read_text() == _boot_id()

    def mark_warm(self, digest: str) -> None:
        """Notes that the image's uncounted run was made."""
        self._warm_mark(digest).write_text(_boot_id())

    def forget_warm(self, digest: str) -> None:
        """The image is gone, and what was in memory of it with it."""
        self._warm_mark(digest).unlink(missing_ok=True)

    def _warm_mark(self, digest: str) -> Path:
        return self.root / "images" / f"{digest.removeprefix('sha256:')}.warm"

    @contextmanager
    def image_lock(self, digest: str) -> Iterator[None]:
        """Held while an image is fetched and loaded, so that two slots do not do it twice."""
        path = self.root / "images" / f"{digest.removeprefix('sha256:')}.lock"
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def use_image(self, digest: str) -> IO[str]:
        """Marks the image as in use by a case, until the returned file is closed or the process dies."""
        file = self._use_mark(digest).open("a")
        fcntl.flock(file, fcntl.LOCK_SH)
        os.utime(file.fileno())
        return file

    @contextmanager
    def unused_image(self, digest: str) -> Iterator[bool]:
        """Whether no case of this host uses the image; if so, none begins to while the block runs."""
        with self._use_mark(digest).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def image_used_at(self, digest: str) -> float:
        """When a case last began to use the image; 0 if none is known to."""
        try:
            return self._use_mark(digest).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def _use_mark(self, digest: str) -> Path:
        return self.root / "images" / f"{digest.removeprefix('sha256:')}.use"

    @contextmanager
    def turn_of_images(self) -> Iterator[None]:
        """Held by one slot at a time, while it makes room for an image."""
        with self._turn("images") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def running(self) -> Iterator[None]:
        """Held while a container runs that may have others beside it."""
        with self._turn("containers") as containers:
            with self._turn("turnstile") as turnstile:  # whoever wants to be alone stands in it
                fcntl.flock(turnstile, fcntl.LOCK_EX)
                fcntl.flock(containers, fcntl.LOCK_SH)
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held while no other container of this host runs; whoever comes later waits behind it."""
        with self._turn("turnstile") as turnstile, self._turn("containers") as containers:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(containers, fcntl.LOCK_EX)
            yield

    def wanted_alone(self) -> bool:
        """Whether somebody waits to be alone; it also looks so for the moment in which a container gets its turn."""
        with self._turn("turnstile") as turnstile:
            try:
                fcntl.flock(turnstile, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def _turn(self, name: str) -> IO[str]:
        return (self.root / "turns" / name).open("w")

    def note_deadline(self, slot: str, case: str, seconds: float) -> None:
        """Leaves word for every reaper of this host: in so many seconds the case's container is overdue."""
        (self.scratch(slot) / case / _DEADLINE).write_text(repr(_now() + seconds))

    def forget_deadline(self, slot: str, case: str) -> None:
        """The case's container has ended."""
        (self.scratch(slot) / case / _DEADLINE).unlink(missing_ok=True)

    def overdue(self) -> list[str]:
        """Names of the containers, of all slots of this host, that should have ended by now."""
        names = []
        for slot in (path.name for path in (self.root / "slots").iterdir()):
            for folder in self.scratches(slot):
                with contextlib.suppress(OSError, ValueError):
                    if float((folder / _DEADLINE).read_text()) < _now():
                        names.append(self.container_prefix(slot) + folder.name)
        return names


def _now() -> float:
    """Seconds that do not stand still while the host sleeps, and mean the same to all of its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text()


def _locked(path: Path) -> int | None:
    """The descriptor of a lock that is held until this process ends, None where another process has it."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
