"""Reading what may be a gzip stream, with bounds on what it expands to."""

import io
from collections.abc import Callable
from typing import BinaryIO

from isal import igzip_lib

from sandbox.archive._bounds import Bounds
from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, binary_size

GZIP = b"\x1f\x8b"
CHUNK = 1 << 16  # twice as fast as 1 MiB: hashed while still in the cache, and no new pages per read
_IN = 1 << 16


class Gunzip(io.RawIOBase):
    """The unpacked bytes of the gzip members that `read` gives, in constant memory.

    Reading raises ArchiveInvalid: `expands_too_much` beyond the ratio, `too_large` beyond `limit` bytes,
    `truncated` where the stream ends early, `damaged` where it is not gzip or its checksum is wrong.
    """

    def __init__(self, read: Callable[[int], bytes], *, what: str, limit: int, bounds: Bounds) -> None:
        self._source, self._what, self._limit, self._bounds = read, what, limit, bounds
        self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._ahead = b""
        self._taken = self._given = 0
        self._members = 1

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fills `buffer` as far as one step of unpacking goes; 0 at the end."""
        while not self._at_end():
            data = b""
            if self._member.needs_input:
                data = self._read()
                if not data:
                    raise ArchiveInvalid(
                        ArchiveCode.TRUNCATED,
                        f"{self._what} ends in the middle of its gzip stream; {SAVE_AGAIN}.",
                    )
            out = self._unpack(data, len(buffer))
            if out:
                buffer[: len(out)] = out
                return len(out)
        return 0

    def _unpack(self, data: bytes, size: int) -> bytes:
        try:
            out: bytes = self._member.decompress(data, size)
        except igzip_lib.error:  # type: ignore[misc]  # its stub says instance, not class
            raise self._damaged() from None
        self._given += len(out)
        if self._given > self._bounds.free and self._given > self._bounds.ratio * self._taken:
            raise expands_too_much(self._what, self._bounds)
        if self._given > self._limit:
            raise too_large(self._what, self._limit)
        return out

    def _read(self) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        data = self._source(_IN)
        self._taken += len(data)
        return data

    def _at_end(self) -> bool:
        """Whether nothing follows; else another member, as `bgzip` and `cat` make them, has been begun."""
        if not self._member.eof:
            return False
        rest = self._member.unused_data.lstrip(b"\0")  # padding to a block size is harmless
        while not rest:
            data = self._read()
            if not data:
                return True
            rest = data.lstrip(b"\0")
        if rest[:2] != GZIP[: len(rest)]:
            raise self._damaged()
        self._members += 1
        if self._members > self._bounds.gzip_members:
            raise ArchiveInvalid(
                ArchiveCode.TOO_MANY_MEMBERS, f"{self._what} is made of too many gzip streams; {SAVE_AGAIN}."
            )
        self._member, self._ahead = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), rest
        return False

    def _damaged(self) -> ArchiveInvalid:
        return ArchiveInvalid(ArchiveCode.DAMAGED, f"{self._what} is a damaged gzip stream; {SAVE_AGAIN}.")


def expands_too_much(what: str, bounds: Bounds) -> ArchiveInvalid:
    """The error of what unpacks to much more than it is."""
    return ArchiveInvalid(
        ArchiveCode.EXPANDS_TOO_MUCH,
        f"{what} unpacks to more than {bounds.ratio} times its own size; leave out large files of zeros and build the "
        "image again.",
    )


def too_large(what: str, limit: int) -> ArchiveInvalid:
    """The error of an image over the challenge's limit."""
    return ArchiveInvalid(
        ArchiveCode.TOO_LARGE,
        f"{what} unpacks to more than the {binary_size(limit)} that an image may have; "
        "remove what the prediction does not need, for example with a multi-stage build.",
    )


def is_packed(head: bytes) -> bool:
    """Whether `head`, the first bytes of a file, begin a gzip stream."""
    return head[:2] == GZIP


def gunzip(read: Callable[[int], bytes], *, what: str, limit: int, bounds: Bounds) -> BinaryIO:
    """The unpacked bytes of the gzip stream that `read` gives, with the errors of `Gunzip`."""
    return io.BufferedReader(Gunzip(read, what=what, limit=limit, bounds=bounds), CHUNK)
