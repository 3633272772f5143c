"""One layer: unpacked, hashed into the sink, and its entries looked at."""

import hashlib
import io
from collections.abc import Callable

from sandbox.archive._bounds import Bounds
from sandbox.archive._documents import wrong_digest
from sandbox.archive._errors import BUILD_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import CHUNK, gunzip, is_packed, too_large
from sandbox.archive._sink import BlobWriter
from sandbox.archive._tar import HARD_LINK, Tar, TarMember
from sandbox.archive._unpacked import Unpacked


class Span:
    """`size` bytes that `read` gives, hashed on their way where somebody stated their digest."""

    def __init__(self, read: Callable[[int], bytes], size: int, stated: str | None) -> None:
        self._read, self.left, self._stated = read, size, stated
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; nothing at the end of the span."""
        data = self._read(min(size, self.left)) if self.left else b""
        self.left -= len(data)
        if self._stated:
            self._hash.update(data)
        return data

    def finish(self, what: str) -> None:
        """Reads the rest and compares the digest.

        Raises:
            ArchiveInvalid: wrong_digest.
        """
        while self.read(CHUNK):
            pass
        digest = "sha256:" + self._hash.hexdigest()
        if self._stated and digest != self._stated:
            raise wrong_digest(what, self._stated, digest)


class _Copy(io.RawIOBase):
    """What `read` gives, copied to `writer` on its way; too_large beyond `limit` bytes."""

    def __init__(self, read: Callable[[int], bytes], writer: BlobWriter, what: str, limit: int) -> None:
        self._read, self._writer, self._what, self._limit = read, writer, what, limit
        self.size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fills `buffer` as far as one read goes; 0 at the end."""
        data = self._read(len(buffer))
        self.size += len(data)
        if self.size > self._limit:
            raise too_large(self._what, self._limit)
        self._writer.write(data)
        buffer[: len(data)] = data
        return len(data)


def copy_layer(
    span: Span, writer: BlobWriter, tree: Unpacked, *, what: str, limit: int, most: int, bounds: Bounds
) -> tuple[int, int]:
    """Unpacks the layer in `span` into `writer`; returns its unpacked bytes and its number of entries.

    `limit` and `most` bound these two. What the layer puts where is noted in `tree`.

    Raises:
        ArchiveInvalid: too_large, expands_too_much, too_many_members, truncated, damaged, not_a_tar,
            wrong_digest (of the packed bytes), unsafe_path, layer_invalid, unsupported_*.
    """
    head = span.read(4)
    packed = is_packed(head)
    read = _after(head, span.read)
    if packed:
        read = gunzip(read, what=what, limit=limit, bounds=bounds).read
    copy = _Copy(read, writer, what, limit)
    stream = io.BufferedReader(copy, CHUNK)
    tar = Tar(stream, what=what, most=most, marked=False)
    for member in tar:
        _look(member, what)
        tree.add(member, tar.read)
    tree.finish()
    while stream.read(CHUNK):
        pass  # Docker's digest of a layer covers what follows its end mark
    span.finish(what)
    return copy.size, tar.count


def _after(head: bytes, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """A read function that gives `head` first."""
    first = [head] if head else []
    return lambda size: first.pop() if first else read(size)


def _look(member: TarMember, what: str) -> None:
    """Refuses names that leave the image; where a symbolic link leads counts inside a container only."""
    parts = member.name.split("/")
    if ".." in parts or (member.kind == HARD_LINK and ".." in member.link.split("/")):
        raise _unsafe(member, what)


def _unsafe(member: TarMember, what: str) -> ArchiveInvalid:
    link = f" → {shown(member.link)}" if member.link else ""
    return ArchiveInvalid(
        ArchiveCode.UNSAFE_PATH,
        f"{what} holds the path {shown(member.name)}{link}, which leads out of the image; {BUILD_AGAIN}.",
    )
