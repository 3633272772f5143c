"""Unpacking a folder of cases that came as a tar archive, gzipped or not.

Whatever it holds, it unpacks to files and folders of bounded number, size, depth and names, below one folder.
"""

import gzip
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

from contract.problems import ErrorCode
from server.datasets.names import is_litter
from server.disk import Share, gib
from server.errors import TooLarge, Unprocessable
from server.settings import Settings

MOST_MEMBERS = 200_000
_MOST_NAME, _MOST_PART, _MOST_DEPTH = 1000, 255, 8
_AT_ONCE = 1 << 16
"""Bytes of one read: what headers say beside names and sizes is longer only to cost something."""
_BEHIND = 1 << 20
_GZIP = b"\x1f\x8b"
_OF_LAYOUT = frozenset({"preprocessed", "labels"})


def unpack(archive: Path, scratch: Path, settings: Settings) -> Path:
    """The folder of the layout, below `scratch`: what the archive holds, or the one folder that it holds.

    Raises:
        Unprocessable: it is no archive of plain files and folders, or holds more than may be.
        TooLarge, StorageFull: what it unpacks to has no room.
    """
    root = scratch / "cases"
    root.mkdir(mode=0o700)
    try:
        with archive.open("rb") as file:
            gzipped = file.read(2) == _GZIP
            file.seek(0)
            plain = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if gzipped else file
            with tarfile.open(fileobj=cast("IO[bytes]", _Bounded(plain)), mode="r:") as tar:
                _members(tar, root, settings)
                _require_end(plain, tar.offset)
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        ValueError,
        RecursionError,
    ) as error:
        said = str(error) or type(error).__name__
        raise _refused(f"it cannot be read as tar, plain or gzipped: {said[:200]}") from None
    inside = [path for path in root.iterdir() if not is_litter(path.name)]
    return inside[0] if len(inside) == 1 and inside[0].name not in _OF_LAYOUT and inside[0].is_dir() else root


def _members(tar: tarfile.TarFile, root: Path, settings: Settings) -> None:
    most, room = settings.cases_limit, settings.room(Share.UPLOADS, root)
    count = size = 0
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # they are not asked for again
        count += 1
        if count > MOST_MEMBERS:
            raise _refused(f"it holds more than {MOST_MEMBERS:,} files and folders")
        target = root / _place(member)
        if member.isdir():
            _make(member, target)
            continue
        size += member.size
        if size > most:
            raise TooLarge(ErrorCode.BODY_TOO_LARGE, f"It unpacks to more than {gib(most)}, the most here.")
        room.require(member.size)
        _write(tar, member, target)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise _refused(f"{_shown(member)} is no plain file")
    _make(member, target.parent)
    try:
        file = target.open("xb")
    except FileExistsError:
        raise _twice(member) from None
    with file:
        shutil.copyfileobj(source, file, _AT_ONCE)


def _make(member: tarfile.TarInfo, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _twice(member) from None


def _twice(member: tarfile.TarInfo) -> Unprocessable:
    return _refused(f"{_shown(member)} is in it twice, or is a file and a folder")


class _Bounded:
    """A file for `tarfile` that refuses reads of more bytes than files are copied by, which only headers ask for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _AT_ONCE:
            raise tarfile.ReadError(f"a header of more than {_AT_ONCE:,} bytes")
        return self._file.read(size)


def _require_end(plain: IO[bytes], offset: int) -> None:
    """What `tarfile` takes for an end may be damage; what is gzipped is known to be whole at its own end only.

    Raises:
        tarfile.ReadError: the archive goes on otherwise than with its end, or long beyond it.
    """
    plain.seek(offset)
    if plain.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends without an end, or is damaged")
    if len(plain.read(_BEHIND)) == _BEHIND:
        raise tarfile.ReadError("there is more behind its end")


def _place(member: tarfile.TarInfo) -> Path:
    """Where a member comes to lie, below the folder.

    Raises:
        Unprocessable: it is no plain file or folder, or its name may not be.
    """
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _refused(
            f"{_shown(member)} is a link, a device, sparse or something else than a file or a folder"
        )
    parts = PurePosixPath(member.name).parts
    if member.size < 0:
        raise _refused(f"{_shown(member)} says a size below 0")
    if member.name.startswith("/") or ".." in parts or "\0" in member.name:
        raise _refused(f"{_shown(member)} leads out of it")
    long = len(os.fsencode(member.name)) > _MOST_NAME or any(
        len(os.fsencode(part)) > _MOST_PART for part in parts
    )
    if long or len(parts) > _MOST_DEPTH:
        raise _refused(f"{_shown(member)} has too long a name, or lies in too many folders")
    return Path(*parts)


def _shown(member: tarfile.TarInfo) -> str:
    return repr(member.name[:80])


def _refused(why: str) -> Unprocessable:
    return Unprocessable(
        ErrorCode.CASES_ARCHIVE, f"The archive was not unpacked: {why}. Nothing was imported."
    )
