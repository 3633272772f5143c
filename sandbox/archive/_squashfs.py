"""The content of a squashfs as a list of entries and a stream of bytes, read by `unsquashfs` in a bounded child.

The child writes nothing but its answer, the file system as a "pseudo file" (squashfs-tools 4.5 and newer): a line
for each entry, then the data of all files one after the other. So nothing is unpacked to a disk: no link is
followed, no device is made, no owner or setuid bit exists outside the layer's tar. As root the child runs as
nobody.
"""

import contextlib
import io
import os
import re
import select
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, ToolMissing
from sandbox.archive._gzip import CHUNK
from sandbox.archive._sif import BUILD_AGAIN, WHAT, Partition

_NOBODY = 65534
_CONFINED = """
ulimit -c 0; ulimit -f 0; ulimit -v 2097152  # KiB
ulimit -H -t $(($1 + 10)); ulimit -S -t $1; shift
exec "$@"
"""
_QUEUE = 64  # MiB that each of its two caches may take
_SECONDS, _BYTES_PER_SECOND = 120, 10 * 2**20  # processor time: as much, and a second more for so many bytes
_SILENCE = 120.0
_LONGEST_LINE = 64 * 1024
_DATA = b"# START OF DATA - DO NOT MODIFY\n"
_REMEDY = "On Debian and Ubuntu: apt-get install squashfs-tools (4.5 or newer)."


@dataclass(frozen=True)
class SquashfsEntry:
    """One entry. `kind` is D, R, S, L, C, B or I; `target` a link's, `size` a file's in bytes, `device` its numbers."""

    name: str
    kind: str
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    time: int = 0
    target: str = ""
    size: int = 0
    device: tuple[int, int] = (0, 0)


class Squashfs:
    """What the child tells; `lines` have to be read to their end before `data` is."""

    def __init__(self, answer: BinaryIO) -> None:
        self._answer = answer

    def lines(self) -> Iterator[bytes]:
        """The definitions of the entries, in an order that is always the same.

        Raises:
            ArchiveInvalid: damaged.
        """
        while line := self._answer.readline(_LONGEST_LINE):
            if line == b"#\n":
                if self._answer.readline(_LONGEST_LINE) != _DATA or self._answer.readline(3) != b"#\n":
                    break
                return
            yield line
        raise damaged()

    def data(self, size: int) -> bytes:
        """The next bytes of the files' data, at most `size`.

        Raises:
            ArchiveInvalid: damaged, where nothing is left.
        """
        data = self._answer.read(min(size, CHUNK))
        if not data:
            raise damaged()
        return data


@contextmanager
def opened(source: BinaryIO, partition: Partition, *, limit: int) -> Iterator[Squashfs]:
    """The squashfs in `source`, a file on disk, while the block runs; `limit` bytes bound the child's time.

    Raises:
        ToolMissing: there is no `unsquashfs` here.
        ArchiveInvalid: damaged, at the end of the block, where the child was not content with what it read.
    """
    with _for_child(source.fileno()) as file, _pipe() as (answer, end):
        seconds = _SECONDS + limit // _BYTES_PER_SECOND
        queues = ("-data-queue", str(_QUEUE), "-frag-queue", str(_QUEUE))
        options = [*_options(partition), "-processors", "2", *queues]
        asked = [*options, "-pf", f"/dev/fd/{end.fileno()}", f"/dev/fd/{file}"]
        child = _start(asked, (file, end.fileno()), seconds)
        try:
            end.close()
            reader = io.BufferedReader(_Patient(answer), CHUNK)
            yield Squashfs(reader)
            if reader.read(1) or child.wait(_SILENCE) != 0:
                raise damaged()
        except ArchiveInvalid as error:
            if error.code is ArchiveCode.DAMAGED and _was_killed(child):
                raise OSError("unsquashfs was killed from outside") from error
            raise
        finally:
            child.kill()
            child.wait()


def content_of(source: BinaryIO, partition: Partition, name: str, *, most: int) -> bytes:
    """The content of the file `name` of the squashfs; empty where it has none, or one of more than `most` bytes.

    Raises:
        ToolMissing: there is no `unsquashfs` here.
        OSError: it was killed from outside.
    """
    with _for_child(source.fileno()) as file, _pipe() as (answer, end):
        child = _start(
            ["-cat", *_options(partition), f"/dev/fd/{file}", name], (file,), _SECONDS, end.fileno()
        )
        try:
            end.close()
            with contextlib.suppress(ArchiveInvalid):
                data = io.BufferedReader(_Patient(answer), CHUNK).read(most + 1)
                if len(data) <= most and _was_killed(child):
                    raise OSError("unsquashfs was killed from outside")
                return data if len(data) <= most and child.wait(_SILENCE) == 0 else b""
            return b""
        finally:
            child.kill()
            child.wait()


def _was_killed(child: "subprocess.Popen[bytes]") -> bool:
    """Whether somebody else ended the child, the kernel for want of memory for example: no fault of the file."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(1.0) == -signal.SIGKILL
    return False


def tools() -> str:
    """The version of squashfs-tools here, such as "4.5.1".

    Raises:
        ToolMissing: there are none, or they are too old.
    """
    if (program := shutil.which("unsquashfs")) is None:
        raise ToolMissing("squashfs-tools are not installed.", _REMEDY)
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.(\d+)[.\d]*", said)
    if version is None or (int(version[1]), int(version[2])) < (4, 5):
        raise ToolMissing("squashfs-tools are too old to read SIF files.", _REMEDY)
    return version[0].removeprefix("version ")


def _program() -> str:
    tools()
    return str(shutil.which("unsquashfs"))


def _options(partition: Partition) -> list[str]:
    return ["-offset", str(partition.offset), "-no-xattrs", "-no-progress", "-quiet"]


def _start(
    asked: Sequence[str], passed: Sequence[int], seconds: int, answer: int = subprocess.DEVNULL
) -> "subprocess.Popen[bytes]":
    """`unsquashfs` with these arguments and files, bounded; what it prints goes to `answer`."""
    nobody = _NOBODY if os.geteuid() == 0 else None
    return subprocess.Popen(
        ["/bin/sh", "-c", _CONFINED, "sh", str(seconds), _program(), *asked],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},
        user=nobody,
        group=nobody,
        extra_groups=None if nobody is None else (),
    )


@contextmanager
def _for_child(file: int) -> Iterator[int]:
    """`file`, which nobody can open by its number while the block runs; its permissions are as before then."""
    before = os.fstat(file).st_mode
    closed = os.geteuid() == 0 and not before & stat.S_IROTH
    if closed:
        os.fchmod(file, stat.S_IMODE(before) | stat.S_IROTH)
    try:
        yield file
    finally:
        if closed:
            os.fchmod(file, stat.S_IMODE(before))


@contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Both ends of a pipe; the child opens the second one by its number."""
    answer, end = os.pipe()
    with os.fdopen(answer, "rb", 0) as reader, os.fdopen(end, "wb", 0) as writer:
        if os.geteuid() == 0:
            os.fchown(end, _NOBODY, _NOBODY)
        yield reader, writer


class _Patient(io.RawIOBase):
    """A pipe that is damaged when nothing comes for two minutes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._handle = pipe.fileno()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fills `buffer` as far as one read goes; 0 at the end."""
        if not select.select([self._handle], [], [], _SILENCE)[0]:
            raise damaged()
        data = os.read(self._handle, len(buffer))
        buffer[: len(data)] = data
        return len(data)


_LINE = re.compile(rb"((?:[^\\ ]|\\.)+) ([DRSLCBI]) (.*)\n", re.DOTALL)
_DETAILS = re.compile(rb"(\d+) ([0-7]+) (\d+) (\d+) (.*)", re.DOTALL)


def parse_entry(line: bytes, position: int) -> SquashfsEntry:
    """The entry that a definition line states; `position` is how many bytes of data the files before it have.

    Raises:
        ArchiveInvalid: damaged, where the line is none; a name with a new line in it is not told from that.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise damaged()
    name, kind, rest = _unescaped(match[1]), match[2].decode(), match[3]
    if kind == "L":
        return SquashfsEntry(name, kind, target=_unescaped(rest))
    details = _DETAILS.fullmatch(rest if kind != "D" else rest + b" ")
    if details is None or len(details[2]) > 6 or max(map(len, (details[1], details[3], details[4]))) > 10:
        raise damaged()
    numbers = details[5].split()
    size = _size(numbers, position) if kind == "R" else 0
    return SquashfsEntry(
        name,
        kind if kind != "I" or numbers == [b"f"] else "socket",
        int(details[2], 8) & 0o7777,
        (int(details[3]), int(details[4])),
        int(details[1]),
        _text(details[5]) if kind == "S" else "",
        size,
        _device(numbers) if kind in "CB" else (0, 0),
    )


def _device(numbers: list[bytes]) -> tuple[int, int]:
    """The two numbers of a device node."""
    if len(numbers) != 2 or not all(number.isdigit() and len(number) < 8 for number in numbers):
        raise damaged()
    return int(numbers[0]), int(numbers[1])


def _size(numbers: list[bytes], position: int) -> int:
    """Of `length offset`, and whatever newer tools add: the length."""
    if len(numbers) < 2 or not all(number.isdigit() and len(number) < 18 for number in numbers[:2]):
        raise damaged()
    if int(numbers[1]) != position:
        raise damaged()
    return int(numbers[0])


def _unescaped(name: bytes) -> str:
    return _text(re.sub(rb"\\(.)", rb"\1", name, flags=re.DOTALL))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def damaged() -> ArchiveInvalid:
    """The error of a file system that cannot be read."""
    return ArchiveInvalid(
        ArchiveCode.DAMAGED,
        f"{WHAT}'s file system cannot be read: it is damaged, or a name or link in it holds a line break; "
        f"{BUILD_AGAIN}.",
    )
