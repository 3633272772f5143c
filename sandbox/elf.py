"""What images of our own need to know of ELF files: a program's loader, a library's name, and a program to write."""

import struct
from collections.abc import Iterator
from pathlib import Path

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_STRING_TABLE, _SONAME = 5, 14


def loader(program: Path) -> str | None:
    """The path of the loader that a 64-bit program names; None for a static one."""
    content = program.read_bytes()
    for kind, offset, _, length in _segments(content):
        if kind == _INTERPRETER:
            return content[offset : offset + length].rstrip(b"\0").decode()
    return None


def soname(library: Path) -> str:
    """The name under which programs ask for a 64-bit library: its DT_SONAME, else its file's name."""
    content = library.read_bytes()
    segments = list(_segments(content))
    entries: dict[int, int] = {}
    for kind, offset, _, length in segments:
        if kind == _DYNAMIC:
            entries = dict(struct.iter_unpack("<QQ", content[offset : offset + length - length % 16]))
    if _SONAME not in entries or _STRING_TABLE not in entries:
        return library.name
    for kind, offset, address, length in segments:
        if kind == _LOAD and address <= entries[_STRING_TABLE] < address + length:
            start = entries[_STRING_TABLE] - address + offset + entries[_SONAME]
            return content[start : content.index(b"\0", start)].decode()
    return library.name


def program(code: bytes) -> bytes:
    """A static x86-64 program of nothing but `code`."""
    base, size = 0x400000, 64 + 56 + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + code


def _segments(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(kind, offset in the file, address, length) of each program header."""
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for number in range(count):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", content, start + number * size)
        yield kind, offset, address, length
