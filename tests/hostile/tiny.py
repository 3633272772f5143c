"""Images of less than a kilobyte: one program, in machine code, as `python`; for whatever is done to an image."""

import io
import struct
import tarfile
from typing import Any

from tests.sandbox.archives import config, legacy, pack

X86_64, ARM64 = 62, 183
# Opens its last argument for writing, writes "0.25\n", and exits with 0.
_CODE = bytes.fromhex(
    "488b3c24488b3cfcbe41020000baa4010000b8020000000f0589c7"
    "488d3515000000ba05000000b8010000000f0531ffb8e70000000f05302e32350a"
)
_BASE = 0x400000

Entry = tuple[tarfile.TarInfo, bytes]


def program(machine: int = X86_64) -> bytes:
    """A static ELF program that writes a valid number to the --output path; `machine` is what its header says."""
    size = 64 + 56 + len(_CODE)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return identity + header + segment + _CODE


def file(name: str, data: bytes = b"", mode: int = 0o755, **fields: Any) -> Entry:
    """A regular file of a layer; `fields` are set on its tar header."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def entry(name: str, kind: bytes, link: str = "", **fields: Any) -> Entry:
    """Something else than a regular file: a link, a directory, a device, a FIFO."""
    return file(name, type=kind, linkname=link, **fields)


def layer(*entries: Entry, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A layer with these entries, equal for equal ones."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


PYTHON = file("usr/bin/python", program())


def image(*entries: Entry, layers: tuple[bytes, ...] = (), machine: str = "amd64", **settings: Any) -> bytes:
    """A `docker save` archive of an image with the program and `entries`, then `layers`; `settings` is its config."""
    stack = (layer(PYTHON, *entries), *layers)
    running = {"Env": ["PATH=/usr/bin"], **settings}
    return pack(legacy(*stack, image=config(*stack, config=running, architecture=machine)))
