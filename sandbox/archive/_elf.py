"""The first bytes of an executable file: the machine it is built for, or the interpreter it asks for."""

from collections.abc import Callable
from dataclasses import dataclass

HEAD = 256  # as much of a #! line as the kernel reads
_MACHINES = {
    (1, 3): "linux/386",
    (2, 8): "linux/mips64",
    (1, 8): "linux/mips",
    (2, 21): "linux/ppc64",
    (2, 22): "linux/s390x",
    (1, 40): "linux/arm",
    (2, 62): "linux/amd64",
    (1, 62): "linux/amd64 with 32-bit pointers (x32)",
    (2, 183): "linux/arm64",
    (2, 243): "linux/riscv64",
    (2, 258): "linux/loong64",
}


@dataclass(frozen=True)
class Executable:
    """An executable file: `machine` of an ELF file, `interpreter` (path and argument) of a script, or neither.

    `sha256` is that of its content, where files are hashed.
    """

    machine: str | None = None
    interpreter: tuple[str, ...] = ()
    sha256: bytes | None = None


def head_of(read: Callable[[int], bytes]) -> bytes:
    """The first `HEAD` bytes that `read` gives, fewer at the end of a file."""
    head = b""
    while len(head) < HEAD and (data := read(HEAD - len(head))):
        head += data
    return head


def program(head: bytes) -> Executable:
    """What the first `HEAD` bytes of an executable file tell."""
    if head[:4] == b"\x7fELF" and len(head) >= 20 and head[4] in (1, 2) and head[5] in (1, 2):
        number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
        return Executable(machine=_MACHINES.get((head[4], number), f"another machine (ELF {number})"))
    if head[:2] == b"#!":
        line = head[2:].partition(b"\n")[0].decode("utf-8", "surrogateescape")
        return Executable(interpreter=tuple(line.strip(" \t\r").split(None, 1)[:2]))
    return Executable()
