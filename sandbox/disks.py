"""Bounded disks: ext4 in a sparse file on a loop device, which the engine mounts as a volume of its own.

The file system bounds bytes and number of files, whatever the container does. This process mounts each disk
a second time: that keeps it readable after the container ended and shows how full it is while it runs.
"""

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.verdicts import PlatformFault
from sandbox.faults import EngineFault

_LOOP_SET_FD, _LOOP_CLR_FD, _LOOP_SET_STATUS64, _LOOP_CONFIGURE = 0x4C00, 0x4C01, 0x4C04, 0x4C0A
_LOOP_CTL_GET_FREE = 0x4C82
_AUTOCLEAR = 4  # the kernel detaches the device with its last mount, so a crash leaves nothing attached
_INFO64 = struct.Struct("=5Q4I64s64s32s2Q")
_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_MNT_DETACH = 2
# Else the kernel writes all inode tables into the sparse file; and nobody reads a disk after a power cut, so that
# unmounting has to wait for no flush of the host's own disk: 40 ms a disk become 10.
_MOUNT_OPTIONS = "noinit_itable,nobarrier"
_SUFFIX = ".ext4"
_BYTES_PER_FILE = 16 * 1024  # as ext4 has it by default: a small disk cannot hold the inodes of a large one
_FREE_LEFT = 2 * 2**20  # a write of one large page fails as a whole, before the last blocks are taken


@dataclass(frozen=True)
class BoundedDisk:
    """One bounded file system: `volume` is its name in the engine, `path` where this process sees it."""

    volume: str
    device: str
    path: Path

    @property
    def driver_config(self) -> dict[str, Any]:
        """How the engine's local driver mounts it."""
        options = {"type": "ext4", "device": self.device, "o": f"nosuid,nodev,{_MOUNT_OPTIONS}"}
        return {"Name": "local", "Options": options}

    def used(self) -> int:
        """Bytes in use."""
        state = os.statvfs(self.path)
        return (state.f_blocks - state.f_bfree) * state.f_frsize

    def full(self) -> bool:
        """Whether no byte or no further file fits."""
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize <= _FREE_LEFT or state.f_favail == 0

    def clear(self) -> None:
        """Remove everything on it; nothing may run that can write to it."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remove(self) -> None:
        """Unmount it here; the kernel detaches the device once nothing mounts it, and the file goes."""
        _umount(self.path)
        self.path.rmdir()
        self.path.with_suffix(_SUFFIX).unlink(missing_ok=True)


def supported() -> bool:
    """Whether this process may make loop devices and mount them."""
    return (
        os.geteuid() == 0
        and shutil.which("mkfs.ext4") is not None
        and os.access("/dev/loop-control", os.R_OK | os.W_OK)
        and _has_sys_admin()
    )


def make(volume: str, size: int, files: int, directory: Path) -> BoundedDisk:
    """A fresh empty disk of `size` bytes and at most about `files` files, writable for everybody.

    Raises:
        EngineFault: if the host cannot make it.
    """
    path = directory / volume
    backing = path.with_name(volume + _SUFFIX)
    try:
        path.mkdir()
        _write_file_system(backing, max(size, 2**20), min(files, size // _BYTES_PER_FILE))
        device = _attach_and_mount(backing, path)
        path.chmod(0o1777)
        (path / "lost+found").rmdir()
    except OSError as error:
        _umount(path)
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, f"making a bounded disk: {error}") from error
    return BoundedDisk(volume, device, path)


def _write_file_system(backing: Path, size: int, files: int) -> None:
    """An empty file system in a sparse file; a copy of one that was made before, which takes no program."""
    with backing.open("wb") as file:
        file.truncate(size)
        for offset, data in _empty_file_system(size, files):
            os.pwrite(file.fileno(), data, offset)


@functools.lru_cache(maxsize=16)
def _empty_file_system(size: int, files: int) -> tuple[tuple[int, bytes], ...]:
    """What mkfs writes for this size, as (offset, bytes): some hundred kilobytes, for most of a disk is a hole."""
    with tempfile.NamedTemporaryFile(suffix=_SUFFIX) as file:
        file.truncate(size)
        _make_file_system(Path(file.name), files)
        return tuple(_written_parts(file.fileno(), size))


def _written_parts(file: int, size: int) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < size:
        try:
            start = os.lseek(file, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        offset = os.lseek(file, start, os.SEEK_HOLE)
        yield start, os.pread(file, offset - start, start)


def _make_file_system(backing: Path, files: int) -> None:
    features = ["-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard", "-m", "0"]
    command = ["mkfs.ext4", "-q", "-F", *features, "-N", str(files + 16), str(backing)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise OSError(errno.EIO, done.stderr.decode(errors="replace").strip())


def _attach_and_mount(backing: Path, path: Path) -> str:
    file = os.open(backing, os.O_RDWR | os.O_CLOEXEC)
    try:
        device, loop = _attach(file, backing.name)
        try:  # an autoclear device has to stay open until it is mounted
            _mount(device, path)
        finally:
            os.close(loop)
    finally:
        os.close(file)
    return device


def _attach(file: int, name: str) -> tuple[str, int]:
    """The path and an open descriptor of a loop device that shows `file`."""
    info = _INFO64.pack(0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, name.encode()[:63], b"", b"", 0, 0)
    for _ in range(64):  # another process may take the free device first
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
        finally:
            os.close(control)
        loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            _configure(loop, file, info)
        except OSError as error:
            os.close(loop)
            if error.errno not in (errno.EBUSY, errno.EAGAIN):
                raise
        else:
            return device, loop
    raise OSError(errno.EBUSY, "no free loop device")


def _configure(loop: int, file: int, info: bytes) -> None:
    """Let the device `loop` show `file`; in one step where the kernel has it (5.8), for each one costs 10 ms."""
    try:
        fcntl.ioctl(loop, _LOOP_CONFIGURE, struct.pack("=II", file, 0) + info + bytes(64))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY):
            raise
        fcntl.ioctl(loop, _LOOP_SET_FD, file)
        fcntl.ioctl(loop, _LOOP_SET_STATUS64, info)


def remove_orphans(orphan: Callable[[str], bool]) -> list[str]:
    """Unmount and detach the disks whose volume name `orphan` holds for; returns those names."""
    removed = []
    for state in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            backing = Path(state.read_text().strip().removesuffix(" (deleted)"))
            name = backing.name.removesuffix(_SUFFIX)
            if backing.name.endswith(_SUFFIX) and orphan(name):
                _detach(f"/dev/{state.parts[3]}", backing)
                removed.append(name)
    return removed


def _detach(device: str, backing: Path) -> None:
    _umount(backing.with_suffix(""))
    with contextlib.suppress(OSError):
        loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(loop, _LOOP_CLR_FD)
        finally:
            os.close(loop)
    backing.unlink(missing_ok=True)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _mount(device: str, path: Path) -> None:
    flags = ctypes.c_ulong(_MS_NOSUID_NODEV_NOEXEC)
    if _libc().mount(device.encode(), os.fsencode(path), b"ext4", flags, _MOUNT_OPTIONS.encode()):
        raise OSError(ctypes.get_errno(), f"mounting {device}")


def _umount(path: Path) -> None:
    """Unmount `path` if something is mounted there; lazily, so that nothing can hold the caller up."""
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode) and path.is_mount():
            _libc().umount2(os.fsencode(path), _MNT_DETACH)


def _has_sys_admin() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) & (1 << 21))
