"""Taking the one output file out of an ended container, without following or trusting anything it wrote."""

import contextlib
import errno
import io
import itertools
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from docker.errors import NotFound

from evaluator.verdicts import Check, Fault, Verdict
from sandbox.engine import Engine, translate
from sandbox.options import OUTPUT, WORK

_CHUNK = 2**20
_LOOKED_AT = 10_000


class NotCollected(Exception):
    """There is no output file that could be checked; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


def invalid(check: Check, message: str) -> NotCollected:
    """The output is there but is not a file that may be read."""
    return NotCollected(Verdict(Fault.OUTPUT_INVALID, message, check))


def from_disk(top: Path, name: str, suffix: str, limit: int, target: Path) -> None:
    """Copy the file `name` in the directory `top` to `target`; `limit` is the most bytes it may have.

    Raises:
        NotCollected: it is missing, not a regular file with one link, or too large.
    """
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _open_regular(directory, name, suffix, limit) as source, target.open("wb") as copy:
            _copy(source, copy, limit)
    finally:
        os.close(directory)


def _open_regular(directory: int, name: str, suffix: str, limit: int) -> IO[bytes]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        file = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        raise missing(os.listdir(directory), suffix) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            raise _not_regular() from None
        raise
    state = os.fstat(file)
    try:
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
            raise _not_regular()
        if state.st_size > limit:
            raise _too_large(limit)
    except NotCollected:
        os.close(file)
        raise
    return os.fdopen(file, "rb")


def from_engine(engine: Engine, container: str, name: str, suffix: str, limit: int, target: Path) -> None:
    """As `from_disk`, through the engine, for hosts whose files this process cannot read."""
    with translate("collecting an output"):
        try:
            stream, _ = engine.api.get_archive(container, f"{OUTPUT}/{name}")
        except NotFound:
            raise missing(_names(engine, container), suffix) from None
        with contextlib.closing(stream), _tar(stream) as archive:
            member = archive.next()
            source = archive.extractfile(member) if member is not None and member.isreg() else None
            if member is None or source is None:
                raise _not_regular()
            if member.size > limit:
                raise _too_large(limit)
            with target.open("wb") as copy:
                _copy(source, copy, limit)


def make_writable(engine: Engine, container: str) -> None:
    """Give a created container an /output and a working directory that everybody may write to.

    Raises:
        DockerException, RequestException: as the engine's client does.
    """
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path in (OUTPUT, WORK):
            directory = tarfile.TarInfo(path.lstrip("/"))
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(directory)
    engine.api.put_archive(container, "/", data.getvalue())


def _names(engine: Engine, container: str) -> list[str]:
    try:
        stream, _ = engine.api.get_archive(container, OUTPUT)
    except NotFound:
        return []
    with contextlib.closing(stream), _tar(stream) as archive:
        return [Path(member.name).name for member in itertools.islice(archive, _LOOKED_AT)]


def missing(names: list[str], suffix: str) -> NotCollected:
    """The verdict where the output path is empty; says so where a library doubled the suffix."""
    message = "The command ended with exit code 0 but there is no file at the --output path."
    if any(name.endswith(suffix + suffix) for name in names):
        message += f" Found a file ending in {suffix}{suffix}: the suffix was written twice."
    elif names:
        message += " There are other files in /output."
    return NotCollected(Verdict(Fault.OUTPUT_MISSING, message, Check.MISSING))


def _not_regular() -> NotCollected:
    return invalid(Check.NOT_A_REGULAR_FILE, "The output path holds no regular file.")


def _too_large(limit: int) -> NotCollected:
    return invalid(Check.TOO_LARGE, f"The output file is larger than {limit} bytes.")


def _copy(source: IO[bytes], copy: IO[bytes], limit: int) -> None:
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > limit:
            raise _too_large(limit)
        copy.write(chunk)


class _Chunks(io.RawIOBase):
    """A readable file over a stream of chunks, as tarfile wants it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """Whether this can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill as much of `buffer` as the next chunk does; 0 at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken = min(len(buffer), len(self._rest))
        buffer[:taken], self._rest = self._rest[:taken], self._rest[taken:]
        return taken


def _tar(stream: Iterator[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BufferedReader(_Chunks(iter(stream))), mode="r|")
