"""The header of a SIF file (Apptainer, SingularityCE): where its one root file system lies, and for which machine.

Version "01" of the format, the only one there is: a global header of 128 bytes (launch line, magic, version,
architecture, identity, times, and number, place and size of descriptors), and descriptors of 585 bytes each, all
little-endian. Definition files, labels, signatures and whatever else a file carries are not looked at.
Source of the layout: github.com/sylabs/sif, pkg/sif.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sandbox.archive._bounds import Bounds
from sandbox.archive._config import wrong_architecture
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid

WHAT = "the SIF file"
BUILD_AGAIN = "build it again with `apptainer build image.sif …` and upload that file"

_MAGIC, _MAGIC_AT = b"SIF_MAGIC\0", 32
_HEADER = struct.Struct("<32s10s3s3s16s8q")
_DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
_PARTITION = struct.Struct("<ii3s")
_SUPERBLOCK = struct.Struct("<5I6H8Q")
_MOST_DESCRIPTORS = 4096
_MOST_DOCUMENTS = 32  # Apptainer writes one or two, and all may be the same megabyte
_OBJECT_PARTITION, _OBJECT_JSON, _OBJECT_OCI = 0x4004, 0x4006, 0x400A
_SQUASHFS, _ENCRYPTED = 1, 5
_PRIMARY, _OVERLAY = 2, 4
_AMD64 = b"02"
_UNSAID = b"00"
_MACHINES = {
    b"01": "linux/386",
    b"03": "linux/arm",
    b"04": "linux/arm64",
    b"05": "linux/ppc64",
    b"06": "linux/ppc64le",
    b"07": "linux/mips",
    b"08": "linux/mipsle",
    b"09": "linux/mips64",
    b"10": "linux/mips64le",
    b"11": "linux/s390x",
    b"12": "linux/riscv64",
}


@dataclass(frozen=True)
class Partition:
    """Where the root file system lies in the SIF file: a squashfs of `size` bytes from byte `offset` on."""

    offset: int
    size: int


@dataclass(frozen=True)
class _Object:
    kind: int
    offset: int
    size: int
    file_system: int
    role: int
    machine: bytes


def is_sif(source: BinaryIO) -> bool:
    """Whether the file begins as a SIF file does."""
    source.seek(_MAGIC_AT)
    return source.read(len(_MAGIC)) == _MAGIC


def read_partition(source: BinaryIO, bounds: Bounds) -> Partition:
    """The squashfs with the container's root file system.

    Raises:
        ArchiveInvalid: truncated, damaged, no_image, several_images, encrypted, wrong_architecture,
            unsupported_member, too_many_members.
    """
    total = source.seek(0, io.SEEK_END)
    machine, objects = _read(source, total)
    primary = _primary(objects)
    for stated in (machine, primary.machine):
        if stated not in (_AMD64, _UNSAID):
            raise wrong_architecture(_MACHINES.get(stated, "another machine"), _FOR_AMD64)
    if primary.machine != _AMD64:
        raise wrong_architecture("a machine that the file does not state", _FOR_AMD64)
    partition = Partition(primary.offset, primary.size)
    if not 0 <= primary.offset <= total or not _SUPERBLOCK.size <= primary.size <= total - primary.offset:
        raise _cut()
    _require_squashfs(source, partition, bounds)
    return partition


_FOR_AMD64 = "build it on an x86-64 machine, or with `apptainer build --arch amd64 …`"


def read_documents(source: BinaryIO, bounds: Bounds) -> Iterator[bytes]:
    """The JSON documents that the file has beside its file system, those of more than `bounds.config` bytes left out.

    Raises:
        ArchiveInvalid: truncated, damaged, too_many_members.
    """
    total = source.seek(0, io.SEEK_END)
    documents = [
        part
        for part in _read(source, total)[1]
        if part.kind == _OBJECT_JSON and part.offset >= 0 and 0 < part.size <= bounds.config
    ]
    if len(documents) > _MOST_DOCUMENTS:
        raise ArchiveInvalid(
            ArchiveCode.TOO_MANY_MEMBERS,
            f"{WHAT} holds more than {_MOST_DOCUMENTS} JSON documents; {BUILD_AGAIN}.",
        )
    for part in documents:
        source.seek(part.offset)
        yield source.read(part.size)


def _read(source: BinaryIO, total: int) -> tuple[bytes, list[_Object]]:
    """The machine that the global header states, and every object that is in use."""
    header = _unpack(source, 0, _HEADER, total)
    version, machine, count, at = header[2].rstrip(b"\0"), header[3].rstrip(b"\0"), header[8], header[9]
    if version != b"01":
        raise _damaged("is of an unknown version")
    if not 0 <= count <= _MOST_DESCRIPTORS or not 0 <= at <= total:
        raise _damaged("has a damaged header")
    return machine, list(_objects(source, total, count, at))


def _objects(source: BinaryIO, total: int, count: int, at: int) -> Iterator[_Object]:
    for number in range(count):
        fields = _unpack(source, at + number * _DESCRIPTOR.size, _DESCRIPTOR, total)
        if fields[1]:
            file_system, role, machine = _PARTITION.unpack_from(fields[13])
            yield _Object(fields[0], fields[5], fields[6], file_system, role, machine.rstrip(b"\0"))


def _unpack(source: BinaryIO, at: int, layout: struct.Struct, total: int) -> tuple[Any, ...]:
    if at + layout.size > total:
        raise _cut()
    source.seek(at)
    return layout.unpack(source.read(layout.size))


def _primary(objects: list[_Object]) -> _Object:
    """The one partition that a container is started from."""
    partitions = [part for part in objects if part.kind == _OBJECT_PARTITION]
    primary = [partition for partition in partitions if partition.role == _PRIMARY]
    if len(primary) > 1:
        raise ArchiveInvalid(
            ArchiveCode.SEVERAL_IMAGES,
            f"{WHAT} has {len(primary)} primary partitions and it is not said which to run; {BUILD_AGAIN}.",
        )
    if any(part.kind == _OBJECT_OCI for part in objects):
        raise ArchiveInvalid(
            ArchiveCode.UNSUPPORTED_MEMBER,
            f"{WHAT} holds an OCI image; build one with a squashfs partition (without `--oci`), or upload what "
            "`docker save` writes.",
        )
    if not primary:
        raise ArchiveInvalid(
            ArchiveCode.NO_IMAGE, f"{WHAT} has no primary partition: there is nothing to run; {BUILD_AGAIN}."
        )
    if any(partition.role == _OVERLAY for partition in partitions):
        raise ArchiveInvalid(
            ArchiveCode.UNSUPPORTED_MEMBER,
            f"{WHAT} has an overlay, which would not be used; build the changes into the image.",
        )
    return _readable(primary[0])


def _readable(primary: _Object) -> _Object:
    if primary.file_system == _ENCRYPTED:
        raise ArchiveInvalid(
            ArchiveCode.ENCRYPTED, f"{WHAT} is encrypted and cannot be run here; build it without encryption."
        )
    if primary.file_system != _SQUASHFS:
        raise ArchiveInvalid(
            ArchiveCode.UNSUPPORTED_MEMBER, f"{WHAT}'s primary partition is no squashfs; {BUILD_AGAIN}."
        )
    return primary


def _require_squashfs(source: BinaryIO, partition: Partition, bounds: Bounds) -> None:
    """Looks at the file system's own header before a program does."""
    source.seek(partition.offset)
    superblock = _SUPERBLOCK.unpack(source.read(_SUPERBLOCK.size))
    files, block, major, used = superblock[1], superblock[3], superblock[9], superblock[12]
    if superblock[0] != 0x73717368 or major != 4 or block not in {2**power for power in range(12, 21)}:
        raise _damaged("holds no squashfs of version 4 where its header says so")
    if files > bounds.layer_members:
        raise ArchiveInvalid(
            ArchiveCode.TOO_MANY_MEMBERS,
            f"{WHAT} has more than {bounds.layer_members:,} entries; build it with fewer files.",
        )
    if used > partition.size:
        raise _cut()


def _cut() -> ArchiveInvalid:
    return ArchiveInvalid(ArchiveCode.TRUNCATED, f"{WHAT} ends too early: it was cut; upload it again.")


def _damaged(how: str) -> ArchiveInvalid:
    return ArchiveInvalid(ArchiveCode.DAMAGED, f"{WHAT} {how}; {BUILD_AGAIN}.")
