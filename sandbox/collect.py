"""Taking the one output file out of an ended container, without following or trusting anything it wrote."""

import errno
import io
import itertools
import os
import stat
import tarfile
from pathlib import Path
from typing import IO

from evaluator.verdicts import Check, Fault, Verdict
from sandbox.engine import Engine, translate
from sandbox.engines import ContainerEngine, EngineRefused
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
            with (
                engine.raw.read(container, f"{OUTPUT}/{name}") as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                _take(archive, limit, target)
        except EngineRefused as error:
            if not error.is_missing:
                raise
            raise missing(_names(engine.raw, container), suffix) from None


def _take(archive: tarfile.TarFile, limit: int, target: Path) -> None:
    """Copy the first file of an archive, if it is one."""
    member = archive.next()
    source = archive.extractfile(member) if member is not None and member.isreg() else None
    if member is None or source is None:
        raise _not_regular()
    if member.size > limit:
        raise _too_large(limit)
    with target.open("wb") as copy:
        _copy(source, copy, limit)


def make_writable(engine: ContainerEngine, container: str) -> None:
    """Give a created container an /output and a working directory that everybody may write to.

    Raises:
        EngineTrouble: as the engine does.
    """
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path in (OUTPUT, WORK):
            directory = tarfile.TarInfo(path.lstrip("/"))
            directory.type, directory.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(directory)
    engine.write(container, data.getvalue())


def _names(engine: ContainerEngine, container: str) -> list[str]:
    try:
        with engine.read(container, OUTPUT) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            return [Path(member.name).name for member in itertools.islice(archive, _LOOKED_AT)]
    except EngineRefused as error:
        if not error.is_missing:
            raise
        return []


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
