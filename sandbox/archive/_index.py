"""The outer archive: its members by name, its small JSON documents, and a way back to a member's bytes."""

import io
from dataclasses import dataclass, replace
from typing import BinaryIO

from sandbox.archive._bounds import Bounds
from sandbox.archive._contents import Contents
from sandbox.archive._errors import SAVE_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import CHUNK, gunzip, is_packed, too_large
from sandbox.archive._kinds import not_a_tar
from sandbox.archive._tar import DIRECTORY, HARD_LINK, REGULAR, SYMBOLIC_LINK, Tar, TarMember

WHAT = "the archive"
_OVERHEAD = 64 * 2**20  # headers, padding and JSON beside the layers


@dataclass(frozen=True)
class Archive:
    """An indexed archive; `documents` are its members of up to `bounds.config` bytes that may be JSON.

    `most` are the bytes to which its layers together may unpack: a small file gives little work, however it is packed.
    """

    source: BinaryIO
    packed: bool
    limit: int
    most: int
    bounds: Bounds
    members: dict[str, TarMember]
    documents: dict[str, bytes]

    def find(self, name: str) -> TarMember | None:
        """The regular file called `name`, through the links that `docker save`, and whoever packs it anew, writes.

        Raises:
            ArchiveInvalid: unsafe_path, where a link leads out of the archive.
        """
        for _ in range(8):
            member = self.members.get(name)
            if member is None or member.kind == REGULAR:
                return member
            hard = member.kind == HARD_LINK
            name = clean_name(member.link, WHAT) if hard else _joined(name, member.link)
        return None

    def document(self, name: str) -> bytes | None:
        """The small JSON file called `name`."""
        member = self.find(name)
        return None if member is None else self.documents.get(member.name)

    def at(self, offset: int, before: "Place | None" = None) -> "Place":
        """The archive's unpacked bytes from `offset` on.

        `before` is what an earlier call returned: a packed archive goes on from there, so that members taken
        in the order they lie in cost one pass.
        """
        if not self.packed:
            self.source.seek(offset)
            return Place(self.source, offset)
        if before is None or before.position > offset:
            before = Place(_unpacked(self.source, self.limit, self.bounds), 0)
        while before.position < offset:
            before.read(min(CHUNK, offset - before.position))
        return before


@dataclass
class Place:
    """A stream of the archive's unpacked bytes and how far it has been read."""

    stream: BinaryIO
    position: int

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end.

        Raises:
            ArchiveInvalid: truncated, at the end.
        """
        data = self.stream.read(size)
        if not data and size:
            raise ArchiveInvalid(ArchiveCode.TRUNCATED, f"the archive ends too early; {SAVE_AGAIN}.")
        self.position += len(data)
        return data


def _unpacked(source: BinaryIO, limit: int, bounds: Bounds) -> BinaryIO:
    source.seek(0)
    return gunzip(source.read, what=WHAT, limit=limit + _OVERHEAD, bounds=bounds)


def read_index(source: BinaryIO, *, limit: int, bounds: Bounds) -> Archive:
    """Reads every header of the archive once.

    Raises:
        ArchiveInvalid: not_a_tar, truncated, damaged, too_large, expands_too_much, too_many_members,
            unsafe_path, duplicate_member, unsupported_member, unsupported_compression.
    """
    total = source.seek(0, io.SEEK_END)
    source.seek(0)
    packed = is_packed(source.read(4))
    if not packed and total > limit + _OVERHEAD:
        raise too_large(WHAT, limit)
    archive = Archive(source, packed, limit, bounds.most(total, limit), bounds, {}, {})
    stream = archive.at(0).stream
    tar = Tar(stream, what=WHAT, most=bounds.archive_members, total=None if packed else total)
    contents = Contents()
    try:
        kept, objection = _read(tar, archive, contents)
    except ArchiveInvalid as error:
        if error.code is ArchiveCode.TOO_MANY_MEMBERS and contents.is_root and contents.no_image:
            raise contents.no_image from None
        raise
    if kept > bounds.documents:
        raise ArchiveInvalid(
            ArchiveCode.TOO_MANY_MEMBERS, f"the archive holds too many JSON documents; {SAVE_AGAIN}."
        )
    while packed and stream.read(CHUNK):
        pass  # the end of a gzip stream holds its checksum
    if tar.count == 0:
        raise not_a_tar(WHAT, bytes(4), layer=False)
    if contents.no_image or objection:
        raise contents.no_image or objection  # type: ignore[misc]  # one of the two it is
    return archive


def _read(tar: Tar, archive: Archive, contents: Contents) -> tuple[int, ArchiveInvalid | None]:
    """Enters every member; returns the bytes of the documents and what is wrong with the first odd member.

    What holds no image at all is told so, whatever else is odd about it.
    """
    kept, objection = 0, None
    for entry in tar:
        contents.add(entry.name)
        try:
            member = _add(archive, entry)
        except ArchiveInvalid as error:
            objection = objection or error
            continue
        if kept <= archive.bounds.documents:
            kept += _keep(tar, archive, member)
    return kept, objection


def _add(archive: Archive, entry: TarMember) -> TarMember | None:
    """Enters a member under its clean name; directories do not matter."""
    member = replace(entry, name=clean_name(entry.name, WHAT))
    if member.kind not in (REGULAR, DIRECTORY, SYMBOLIC_LINK, HARD_LINK):
        raise ArchiveInvalid(
            ArchiveCode.UNSUPPORTED_MEMBER,
            f"the archive's entry {shown(member.name)} is neither a file, a directory nor a link; {SAVE_AGAIN}.",
        )
    if member.kind == DIRECTORY:
        return None
    if member.name in archive.members:
        raise ArchiveInvalid(
            ArchiveCode.DUPLICATE_MEMBER, f"the archive holds {shown(member.name)} twice; {SAVE_AGAIN}."
        )
    if member.kind == SYMBOLIC_LINK:
        _joined(member.name, member.link)
    if member.kind == HARD_LINK:
        clean_name(member.link, WHAT)
    archive.members[member.name] = member
    return member


def _keep(tar: Tar, archive: Archive, member: TarMember | None) -> int:
    if member is None or member.kind != REGULAR or not 2 <= member.size <= archive.bounds.config:
        return 0
    first = tar.read(1)
    if first not in (b"{", b"["):
        return 0
    parts = [first]
    while part := tar.read(member.size):
        parts.append(part)
    archive.documents[member.name] = b"".join(parts)
    return member.size


def clean_name(name: str, what: str) -> str:
    """A member's path without "./" and doubled slashes.

    Raises:
        ArchiveInvalid: unsafe_path, for absolute paths, ".." and no path at all.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or not name:
        raise ArchiveInvalid(
            ArchiveCode.UNSAFE_PATH,
            f"{what} holds the path {shown(name)}, which leads out of it; {SAVE_AGAIN}.",
        )
    return "/".join(part for part in parts if part not in ("", "."))


def _joined(name: str, link: str) -> str:
    """Where the symbolic link `link` of the member `name` leads inside the archive."""
    parts = name.split("/")[:-1]
    for part in link.split("/"):
        if link.startswith("/") or (part == ".." and not parts):
            raise ArchiveInvalid(
                ArchiveCode.UNSAFE_PATH,
                f"the archive's link {shown(name)} leads out of it, to {shown(link)}; {SAVE_AGAIN}.",
            )
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
