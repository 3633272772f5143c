"""A tar reader for bytes nobody vouches for: forward only, constant memory, headers read as Go reads them.

The standard library's reader keeps every member, reads extended headers of any size into memory and takes a
cut archive for a complete one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import CHUNK

BLOCK = 512
REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = (
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
)
_WITHOUT_DATA = frozenset({HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO})
_NUMBERS = ((148, 156), (124, 136), (100, 108))  # where checksum, size and permissions stand
_EXTENSION = 2**20  # as much as Go's reader takes for one extended header


@dataclass(frozen=True)
class Member:
    """One entry of a tar. `offset` is where its data begins in the stream, `size` how many bytes it has.

    `mode` holds the permissions.
    """

    name: str
    kind: bytes
    link: str
    offset: int
    size: int
    mode: int


@dataclass
class _Extensions:
    """What extended headers say of the next member."""

    values: dict[str, str] = field(default_factory=dict)

    def apply(self, member: Member) -> Member:
        if not self.values:
            return member
        values, self.values = self.values, {}
        size = values.get("size")
        return replace(
            member,
            name=values.get("path", member.name),
            link=values.get("linkpath", member.link),
            size=int(size) if size is not None and member.kind not in _WITHOUT_DATA else member.size,
        )


class Tar:
    """The members of the tar in `stream`, in order; `read` gives the data of the one last returned.

    `total` is the stream's size where it can seek: data is then skipped without reading it. `marked` says
    whether the end-of-archive mark has to be there; Docker takes layers without one.
    """

    def __init__(
        self, stream: BinaryIO, *, what: str, most: int, total: int | None = None, marked: bool = True
    ) -> None:
        self._stream, self._what, self._most = stream, what, most
        self._total, self._marked = total, marked
        self._position = self._left = 0
        self.count = 0
        self._extensions = _Extensions()

    def __iter__(self) -> Iterator[Member]:
        """Every member that is not an extended header; ends at the end-of-archive mark.

        Raises:
            ArchiveInvalid: not_a_tar, truncated, damaged, too_many_members, unsupported_member.
        """
        while (header := self._header()) is not None:
            self.count += 1
            if self.count > self._most:
                raise ArchiveInvalid(
                    ArchiveCode.TOO_MANY_MEMBERS, f"{self._what} has more than {self._most:,} entries."
                )
            member = self._parse(header)
            if member.kind in b"xgLK":
                self._extend(member)
                continue
            member = self._extensions.apply(member)
            if member.size < 0:
                raise self._damaged()
            self._left = member.size
            yield member
            self._skip(self._left)
            self._pad(member.size)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the current member's data; nothing at its end."""
        data = self._stream.read(min(size, self._left))
        if not data and self._left and size:
            raise self._truncated()
        self._position += len(data)
        self._left -= len(data)
        return data

    def _header(self) -> bytes | None:
        block = self._stream.read(BLOCK)
        self._position += len(block)
        if not block and not self._marked:
            return None
        if len(block) == BLOCK and block.count(0) == BLOCK:
            self._end()
            return None
        if len(block) < BLOCK:
            if self.count == 0:
                raise self._not_a_tar()
            raise self._truncated()
        return block

    def _end(self) -> None:
        second = self._stream.read(BLOCK)
        self._position += len(second)
        if second.count(0) < len(second):
            raise self._damaged()

    def _parse(self, block: bytes) -> Member:
        total = sum(block) - sum(block[148:156]) + 8 * 32
        try:
            stated, size, mode = (_number(block[start:end]) for start, end in _NUMBERS)
        except ValueError:
            stated, size, mode = -1, 0, 0
        if stated != total and stated != _signed(block):
            raise self._not_a_tar() if self.count == 1 else self._damaged()
        kind, name = block[156:157], _text(block[0:100])
        if block[257:263] == b"ustar\0" and (
            prefix := _text(block[345 : 476 if block[508:512] == b"tar\0" else 500])
        ):
            name = f"{prefix}/{name}"
        if kind in (b"\0", b"7"):
            kind = DIRECTORY if name.endswith("/") else REGULAR
        if kind not in b"0123456xgLK":
            raise ArchiveInvalid(
                ArchiveCode.UNSUPPORTED_MEMBER,
                f"{self._what}: the entry {shown(name)} is of a kind that container images do not use "
                f"(tar type {kind!r}, for example a sparse file).",
            )
        size = 0 if kind in _WITHOUT_DATA else size
        return Member(name, kind, _text(block[157:257]), self._position, size, mode)

    def _extend(self, member: Member) -> None:
        if not 0 <= member.size <= _EXTENSION:
            raise self._damaged()
        self._left = member.size
        data = b"".join(iter(lambda: self.read(member.size), b""))
        self._pad(member.size)
        if member.kind in b"LK":
            self._extensions.values["path" if member.kind == b"L" else "linkpath"] = _text(data)
        elif member.kind == b"x":
            self._extensions.values |= self._records(data)

    def _records(self, data: bytes) -> dict[str, str]:
        """The records of a pax header: length, key and value each, up to a new line."""
        found: dict[str, str] = {}
        while data:
            length, space, _ = data.partition(b" ")
            if not space or not length.isdigit() or len(length) > 8:
                raise self._damaged()
            if not len(length) + 1 < int(length) <= len(data):
                raise self._damaged()
            key, equals, value = data[len(length) + 1 : int(length)].partition(b"=")
            if not equals or not value.endswith(b"\n"):
                raise self._damaged()
            if key.startswith(b"GNU.sparse."):
                raise ArchiveInvalid(
                    ArchiveCode.UNSUPPORTED_MEMBER,
                    f"{self._what} holds a sparse file; container images do not use them.",
                )
            if key == b"size" and not (
                value[:-1].isdigit() and len(value) <= 20
            ):  # int() raises on long ones
                raise self._damaged()
            if key in (b"path", b"linkpath", b"size"):
                found[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
            data = data[int(length) :]
        return found

    def _skip(self, size: int) -> None:
        if self._total is not None:
            if self._position + size > self._total:
                raise self._truncated()
            self._stream.seek(size, 1)
            self._position += size
            self._left = 0
            return
        while self._left:
            self.read(min(self._left, CHUNK))

    def _pad(self, size: int) -> None:
        rest = -size % BLOCK
        if rest and len(self._stream.read(rest)) < rest:
            raise self._truncated()
        self._position += rest

    def _truncated(self) -> ArchiveInvalid:
        return ArchiveInvalid(
            ArchiveCode.TRUNCATED,
            f"{self._what} ends before its end-of-archive mark: it was cut; {SAVE_AGAIN}.",
        )

    def _damaged(self) -> ArchiveInvalid:
        return ArchiveInvalid(
            ArchiveCode.DAMAGED,
            f"{self._what} has a damaged tar header after byte {self._position - BLOCK:,}.",
        )

    def _not_a_tar(self) -> ArchiveInvalid:
        return ArchiveInvalid(
            ArchiveCode.NOT_A_TAR,
            f"{self._what} is not a tar archive; upload what `docker save IMAGE` writes.",
        )


def _number(data: bytes) -> int:
    """A number field: octal text, or base 256 where its first bit is set; -1 for a negative one."""
    if data[0] & 0x80:
        return -1 if data[0] & 0x40 else int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big")
    text = data.strip(b" \0") or b"0"
    if not text.isdigit():
        raise ValueError("not a number")
    return int(text, 8)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _signed(block: bytes) -> int:
    """The checksum as tars of old wrote it, with signed characters."""
    plain = block[:148] + b" " * 8 + block[156:]
    return sum(plain) - 256 * sum(one > 127 for one in plain)
