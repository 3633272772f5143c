"""A tar reader for bytes nobody vouches for: forward only, constant memory, headers read as Go reads them.

The standard library's reader keeps every member, reads extended headers of any size into memory and takes a
cut archive for a complete one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import CHUNK
from sandbox.archive._kinds import not_a_tar
from sandbox.archive._pax import read_records

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
GLOBAL = b"g"
_WITHOUT_DATA = frozenset({HARD_LINK, SYMBOLIC_LINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO})
_CHECKSUM, _SIZE, _MODE = (148, 156), (124, 136), (100, 108)
_OTHERS = ((108, 116), (116, 124), (136, 148))  # owner, group and time
_MAJOR, _MINOR = (329, 337), (337, 345)
_USTAR, _GNU = b"ustar\0", b"ustar  \0"
_GNU_TIMES = (345, 357), (357, 369)
_EXTENSION = 2**20  # as much as Go's reader takes for one extended header


@dataclass(frozen=True)
class TarMember:
    """One entry of a tar. `offset` is where its data begins in the stream, `size` how many bytes it has.

    `mode` holds the permissions, `device` the two numbers of a device node.
    """

    name: str
    kind: bytes
    link: str
    offset: int
    size: int
    mode: int
    device: tuple[int, int] = (0, 0)


@dataclass
class _Extensions:
    """What extended headers say of the next member: GNU's long names, and a pax header, of which the last counts.

    An empty long name says nothing.
    """

    long: dict[str, str] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)

    def apply(self, member: TarMember) -> TarMember:
        values = self.records | {key: name for key, name in self.long.items() if name}
        self.long, self.records = {}, {}
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

    def __iter__(self) -> Iterator[TarMember]:
        """Every member that is not an extended header; ends at the end-of-archive mark.

        Of a layer global headers are among them, without data, for there are engines that make room for one.

        Raises:
            ArchiveInvalid: not_a_tar, truncated, damaged, too_many_members, unsupported_member.
        """
        while (header := self._header()) is not None:
            self.count += 1
            if self.count > self._most:
                raise ArchiveInvalid(
                    ArchiveCode.TOO_MANY_MEMBERS,
                    f"{self._what} has more than {self._most:,} entries; {self._again('fewer files')}.",
                )
            member = self._parse(header)
            if member.kind in b"xgLK":
                self._extend(member)
                if member.kind == GLOBAL and not self._marked:
                    yield replace(member, size=0)
                continue
            member = _settled(self._extensions.apply(member))
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
            raise self._not_a_tar(block) if self.count == 0 else self._truncated()
        return block

    def _end(self) -> None:
        second = self._stream.read(BLOCK)
        self._position += len(second)
        if second.count(0) < len(second):
            raise self._damaged()

    def _parse(self, block: bytes) -> TarMember:
        total = sum(block) - sum(block[148:156]) + 8 * 32
        try:
            stated, size, mode = (_number(block[start:end]) for start, end in (_CHECKSUM, _SIZE, _MODE))
        except ValueError:
            stated, size, mode = -1, 0, 0
        if stated != total and stated != _signed(block):
            raise self._not_a_tar(block) if self.count == 1 else self._damaged()
        try:
            device = _checked(block)
        except ValueError:
            raise self._damaged() from None
        kind, name = block[156:157], _text(block[0:100])
        if prefix := _prefix(block):
            name = f"{prefix}/{name}"
        if kind not in b"\x000123456xgLK":
            raise ArchiveInvalid(
                ArchiveCode.UNSUPPORTED_MEMBER,
                f"{self._what}: the entry {shown(name)} is of a kind that container images do not use "
                f"(tar type {kind!r}, for example a sparse file); {SAVE_AGAIN}.",
            )
        size = 0 if kind in _WITHOUT_DATA else size
        return TarMember(name, kind, _text(block[157:257]), self._position, size, mode, device)

    def _extend(self, member: TarMember) -> None:
        if not 0 <= member.size <= _EXTENSION:
            raise self._damaged()
        self._left = member.size
        data = b"".join(iter(lambda: self.read(member.size), b""))
        self._pad(member.size)
        if member.kind in b"LK":
            self._extensions.long["path" if member.kind == b"L" else "linkpath"] = _text(data)
            return
        try:
            records = read_records(data, self._what, layer=not self._marked)
        except ValueError:
            raise self._damaged() from None
        # Behind a global header, a member of its own to Go, nothing is left of what stood before it.
        self._extensions = (
            replace(self._extensions, records=records) if member.kind == b"x" else _Extensions()
        )

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
            f"{self._what} ends before its end-of-archive mark: it was cut; {self._again()}.",
        )

    def _damaged(self) -> ArchiveInvalid:
        return ArchiveInvalid(
            ArchiveCode.DAMAGED,
            f"{self._what} has a damaged tar header after byte {self._position - BLOCK:,}; {self._again()}.",
        )

    def _again(self, how: str = "") -> str:
        """What to do: a layer is built, an archive is saved."""
        if not self._marked:
            return "build the image again" + (f" with {how}" if how else "")
        return SAVE_AGAIN

    def _not_a_tar(self, block: bytes) -> ArchiveInvalid:
        return not_a_tar(self._what, block, layer=not self._marked)


def _settled(member: TarMember) -> TarMember:
    """A member of the oldest kind is a directory, without data, where its name, at last, ends as one."""
    if member.kind != b"\0":
        return member
    if member.name.endswith("/"):
        return replace(member, kind=DIRECTORY, size=0)
    return replace(member, kind=REGULAR)


def _checked(block: bytes) -> tuple[int, int]:
    """The numbers of a device, after every number of the header was read.

    Raises:
        ValueError: one is none, which Go's reader does not let pass.
    """
    for start, end in _OTHERS:
        _number(block[start:end])
    if block[257:263] != _USTAR and block[257:265] != _GNU:
        return 0, 0
    device = _number(block[slice(*_MAJOR)]), _number(block[slice(*_MINOR)])
    if min(device) < 0:
        raise ValueError("no device has such a number")
    return device


def _prefix(block: bytes) -> str:
    """The folders before the name: GNU's headers have two times there, and names only where Go cannot read these."""
    if block[257:263] == _USTAR:
        return _text(block[345 : 476 if block[508:512] == b"tar\0" else 500])
    if block[257:265] != _GNU:
        return ""
    try:
        for start, end in _GNU_TIMES:
            _number(block[start:end] if block[start] else b"\0")
    except ValueError:
        prefix = _text(block[345:500])
        return prefix if prefix.isascii() else ""
    return ""


def _number(data: bytes) -> int:
    """A number field: octal text, or base 256 where its first bit is set; -1 for a negative one.

    Raises:
        ValueError: it is neither, or has more than 63 bits.
    """
    if data[0] & 0x80:
        if data[0] & 0x40:
            return -1
        if (number := int.from_bytes(bytes([data[0] & 0x7F]) + data[1:], "big")) >= 2**63:
            raise ValueError("too large a number")
        return number
    text = data.strip(b" \0").partition(b"\0")[0] or b"0"
    if not text.isdigit():
        raise ValueError("not a number")
    return int(text, 8)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _signed(block: bytes) -> int:
    """The checksum as tars of old wrote it, with signed characters."""
    plain = block[:148] + b" " * 8 + block[156:]
    return sum(plain) - 256 * sum(byte > 127 for byte in plain)
