"""SIF files built byte by byte, around file systems that `mksquashfs` makes."""

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

AMD64, ARM64 = b"02", b"04"
DEFINITION, PARTITION, SIGNATURE, OCI_INDEX = 0x4001, 0x4004, 0x4005, 0x400A
SQUASHFS, EXT3, ENCRYPTED = 1, 2, 5
SYSTEM, PRIMARY, DATA, OVERLAY = 1, 2, 3, 4
HEADER, DESCRIPTOR = 128, 585
Files = Mapping[str, bytes | str]
Object = tuple[int, bytes, bytes]


def squashfs(files: Files, *, more: Sequence[str] = (), zeros: Mapping[str, int] | None = None) -> bytes:
    """A file system of executable `files`, of symbolic links where the content is a text.

    `more` are definitions that mksquashfs takes for what an ordinary user cannot make; `zeros` sizes of files
    that hold nothing.
    """
    with tempfile.TemporaryDirectory(prefix="proctor-sif-") as name:
        top = Path(name) / "root"
        top.mkdir()
        for path, content in files.items():
            target = top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.symlink_to(content)
            else:
                target.write_bytes(content)
                target.chmod(0o755)
        for path, size in (zeros or {}).items():
            with (top / path).open("wb") as file:
                file.truncate(size)
        return made(top, Path(name) / "made", more)


def made(top: Path, target: Path, more: Sequence[str] = (), *, level: int = 9) -> bytes:
    """The file system of what is below `top`, equal for equal content; `level`: how hard it is compressed, to 9."""
    command = ["mksquashfs", str(top), str(target), "-noappend", "-no-progress", "-quiet"]
    command += [] if more else ["-all-root"]
    command += ["-all-time", "1000000000", "-mkfs-time", "1000000000", "-comp", "gzip"]
    command += ["-Xcompression-level", str(level)]
    for one in more:
        command += ["-p", one]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


def partition(content: bytes, *, kind: int = SQUASHFS, role: int = PRIMARY, machine: bytes = AMD64) -> Object:
    return PARTITION, content, struct.pack("<ii3s", kind, role, machine)


def sif(
    *objects: Object, machine: bytes = AMD64, version: bytes = b"01", slots: int = 48, gap: bool = True
) -> bytes:
    """A SIF file with these objects, as `apptainer build` lays it out."""
    start = -(-(4096 + slots * DESCRIPTOR) // 4096) * 4096
    descriptors, data = b"", b""
    for number, (kind, content, extra) in enumerate(objects, 1):
        data += bytes(-len(data) % 4096 if gap else 0)
        where = start + len(data), len(content), len(content)
        known = struct.pack("<i?IIIqqq", kind, True, number, 0xF0000001, 0, *where)
        descriptors += known + struct.pack("<qqqq128s384s", 1, 1, 0, 0, b"", extra)
        data += content
    counts = slots - len(objects), slots, 4096, len(descriptors), start, len(data)
    header = struct.pack(
        "<32s10s3s3s16s8q",
        b"#!/usr/bin/env run-singularity\n",
        b"SIF_MAGIC",
        version,
        machine,
        b"i" * 16,
        1,
        1,
        *counts,
    )
    return (header.ljust(4096, b"\0") + descriptors).ljust(start, b"\0") + data


def shell(*programs: str) -> dict[str, bytes | str]:
    """This machine's /bin/sh, and these programs, with what they load: a file system in which scripts run."""
    files: dict[str, bytes | str] = {}
    for program in ("/bin/sh", *programs):
        said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        needed = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
        files |= {one.lstrip("/"): Path(one).resolve().read_bytes() for one in (program, *needed)}
    return files


assert shutil.which("mksquashfs"), "squashfs-tools are missing: scripts/squashfs installs them"
