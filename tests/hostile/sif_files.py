"""SIF files that are no acceptable image."""

from tests.hostile.archives import Archive
from tests.hostile.tiny import program
from tests.sandbox.sifs import (
    ARM64,
    ENCRYPTED,
    EXT3,
    OCI_INDEX,
    OVERLAY,
    SYSTEM,
    Files,
    partition,
    sif,
    squashfs,
)

ARM = 183
_MACHINE, _READER = "linux/amd64 by header and program", "read by nobody, in bounds, believed in nothing"


def _small(**options: bytes) -> bytes:
    return sif(partition(squashfs({"bin/sh": program()})), **options)


def _of(files: Files, *more: str) -> bytes:
    return sif(partition(squashfs(files, more=more)))


_WRAPPED: Files = {"bin/sh": program(), "opt/env/bin/python": program(ARM)}


def _zeros() -> bytes:
    return sif(partition(squashfs({}, zeros={"zeros": 2**28})))


def _unstated() -> bytes:
    return sif(partition(squashfs({"bin/sh": program()}), machine=b"00"), machine=b"00")


SIFS = [
    Archive("header for ARM", _MACHINE, "wrong_architecture", lambda: _small(machine=ARM64)),
    Archive("program for ARM", _MACHINE, "wrong_architecture", lambda: _of({"bin/sh": program(ARM)})),
    Archive("machine that is not stated", _MACHINE, "wrong_architecture", _unstated),
    Archive("encrypted", "squashfs only", "encrypted", lambda: sif(partition(bytes(99), kind=ENCRYPTED))),
    Archive("ext3", "squashfs only", "unsupported_member", lambda: sif(partition(bytes(99), kind=EXT3))),
    Archive("OCI inside", "squashfs only", "unsupported_member", lambda: sif((OCI_INDEX, b"{}", b""))),
    Archive(
        "overlay",
        "one partition",
        "unsupported_member",
        lambda: sif(partition(bytes(99)), partition(bytes(99), role=OVERLAY)),
    ),
    Archive("two systems", "one partition", "several_images", lambda: sif(partition(b"x"), partition(b"y"))),
    Archive("no primary system", "one partition", "no_image", lambda: sif(partition(b"x", role=SYSTEM))),
    Archive("cut in the header", "a whole file", "truncated", lambda: _small()[:100]),
    Archive("cut in the system", "a whole file", "truncated", lambda: _small()[:-4096]),
    Archive("unknown version", "a whole file", "damaged", lambda: _small(version=b"02")),
    Archive("noise for a system", _READER, "damaged", lambda: sif(partition(b"hsqs" + b"\xff" * 5000))),
    Archive("256 MiB of zeros", "expansion is bounded", "too_large or expands_too_much", _zeros),
    Archive("program for ARM behind our wrapper", _MACHINE, "wrong_architecture", lambda: _of(_WRAPPED)),
    Archive("our own place taken", _READER, "unsafe_path", lambda: _of({".proctor": "/etc"})),
    Archive("name with a line of its own", _READER, "damaged", lambda: _of({"a\nsu R 1 4755 0 0 4 0": b"x"})),
]
