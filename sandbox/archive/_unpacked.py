"""What a layer is once an engine has unpacked it, kept as a tree of names; and whether an engine can unpack it.

Docker unpacks every layer into an empty folder of its own, entry by entry, following the links that the layer itself
holds; a whiteout becomes a device node 0/0 there. So what is linked, or written through a link, has to be in the
same layer. Found out with Docker 20.10 on overlay2; later ones with that storage do the same. (containerd's image
store, whose ids Proctor does not go by, is laxer about dangling links and names that stand twice.)
"""

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from sandbox.archive._elf import head_of, program
from sandbox.archive._entries import GONE, OPENED, PLAIN, Entry, Folder, Link
from sandbox.archive._errors import BUILD_AGAIN, ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._gzip import CHUNK
from sandbox.archive._tar import CHARACTER, DIRECTORY, GLOBAL, HARD_LINK, REGULAR, SYMBOLIC_LINK, TarMember

LINKS: Final = 40
"""As many symbolic links as the kernel follows in one path."""
_EXECUTABLE = 0o111
_LONGEST_PART, _LONGEST_LINK = 255, 4095
_LONGEST_PATH = 3840  # the kernel's 4,095 with room for the folder of the engine in which a layer lies
WHITEOUT = ".wh."
"""How the name of a file begins that removes another one from the layers below."""
_OPAQUE = ".wh..wh..opq"


@dataclass
class Allowance:
    """How much may be kept of an image, and done for it; beyond that nothing is said of it.

    `names` and `characters` of them, and `steps` along links.
    """

    names: int = 500_000
    characters: int = 64 * 2**20
    steps: int = 5_000_000

    def take(self, name: str) -> bool:
        """Whether there is room for one more name."""
        self.names -= 1
        self.characters -= len(name)
        return self.enough

    def step(self) -> bool:
        """Whether there is room for one more step."""
        self.steps -= 1
        return self.enough

    @property
    def enough(self) -> bool:
        """Whether everything fitted so far."""
        return self.names >= 0 and self.characters >= 0 and self.steps >= 0


class _NoRoomError(Exception):
    """There is no room to find out."""


class Unpacked:
    """One layer as an engine unpacks it; `what` is what the layer is called in sentences.

    `opening` is the name of a device node, if it holds any, that a container could open. `hashed`: the content of its
    files is read, and its digest kept.
    """

    def __init__(self, room: Allowance, what: str = "the layer", *, hashed: bool = False) -> None:
        self._room, self._what, self._hashed = room, what, hashed
        self.root = Folder()
        self.opening: str | None = None
        self._seen: set[int] = set()
        self._folders: list[str] = []
        self._replaced = False
        self._last: tuple[list[str], Folder] = ([], self.root)

    def add(self, member: TarMember, read: Callable[[int], bytes]) -> None:
        """Takes the layer's next entry; `read` gives its content.

        Raises:
            ArchiveInvalid: layer_invalid, where no engine can unpack it.
        """
        if member.kind == CHARACTER and _device(member) in OPENED:
            self.opening = member.name
        parts = _parts(member.name)
        if not self._room.enough or not self._room.take(parts[-1] if parts else ""):
            return
        if not parts:
            if member.name.startswith("/") and member.kind != DIRECTORY:
                raise self._unpackable(member, "it stands in the place of the root directory")
            return  # whatever is called "." is passed over
        self._require_names(member, parts)
        if member.kind == GLOBAL:
            self._pass_over(member, parts)
            return
        try:
            if parts[-1] == _OPAQUE:
                self._empty(member, parts[:-1])
            else:
                self._put(member, self._into(member, parts[:-1]), parts[-1], read)
        except _NoRoomError:
            return
        if member.kind == DIRECTORY:
            self._folders.append(member.name)

    def finish(self) -> None:
        """Ends the layer: an engine sets the times of its folders last, and they have to be there still.

        Raises:
            ArchiveInvalid: layer_invalid.
        """
        with contextlib.suppress(_NoRoomError):
            for name in self._folders if self._replaced and self._room.enough else ():
                if self._walk(_parts(name), [self.root]) is None:
                    raise self._unpackable(name, "something else of the layer takes its place")
        self._folders = []

    def _pass_over(self, member: TarMember, parts: list[str]) -> None:
        """Nothing comes of a global header; Podman makes its folders, and removes what its name says, all the same."""
        if len(parts) > 1 or parts[0].startswith(WHITEOUT) or parts[0] in self.root.entries:
            raise self._refused(member, "some engines take a global header of that name for a file")

    def _require_names(self, member: TarMember, parts: list[str]) -> None:
        name = "/".join(parts)
        longest = max(len(part.encode("utf-8", "surrogateescape")) for part in parts)
        whole = len(name.encode("utf-8", "surrogateescape")) + 1
        if longest > _LONGEST_PART or whole > _LONGEST_PATH:
            raise self._unpackable(
                member, f"its name is longer than {_LONGEST_PART} or {_LONGEST_PATH} bytes"
            )
        if any(part.startswith(WHITEOUT) for part in parts[:-1]):
            raise self._refused(
                member, f"a name that begins with {WHITEOUT} removes another file, and names no folder"
            )
        if (key := hash(f"/{name}" if member.name.startswith("/") else name)) in self._seen:
            raise self._unpackable(member, "its name stands twice in the layer")
        self._seen.add(key)

    def _put(self, member: TarMember, folder: Folder, name: str, read: Callable[[int], bytes]) -> None:
        if name.startswith(WHITEOUT):
            self._remove(member, folder, name.removeprefix(WHITEOUT))
        elif member.kind != DIRECTORY or not isinstance(folder.entries.get(name), Folder):
            if folder.entries.pop(name, None) is not None:
                self._last, self._replaced = ([], self.root), True
            made = (
                self._below(member, folder, name) if member.kind == DIRECTORY else self._entry(member, read)
            )
            folder.entries[name] = made

    def _empty(self, member: TarMember, parts: list[str]) -> None:
        """Hides what layers below have in a folder; of a file that takes the mark it means nothing."""
        if not parts:
            raise self._refused(member, "not every engine removes all that layers below hold")
        entry = self._into(member, parts[:-1]).entries.get(parts[-1])
        if isinstance(entry, Link):
            if (entry := self._walk(parts, [self.root])) is None:
                raise self._unpackable(
                    member, f"the link {shown(parts[-1])} in its path leads to nothing of the layer"
                )
        elif entry is None:
            entry = self._into(member, parts)
        if isinstance(entry, Folder):
            entry.opaque = True

    def _remove(self, member: TarMember, folder: Folder, name: str) -> None:
        if name in ("", ".", ".."):
            raise self._unpackable(member, "it is the mark of something removed that has no name")
        if name in folder.entries:
            raise self._unpackable(member, "it removes what the same layer holds")
        folder.entries[name] = GONE

    def _below(self, member: TarMember, folder: Folder, name: str) -> Folder:
        """A new folder. Links lead to longer paths than any name is, each of which would be kept in memory."""
        made = folder.below(name)
        if made.length > _LONGEST_PATH:
            raise self._refused(member, f"through links that is a path of more than {_LONGEST_PATH} bytes")
        return made

    def _entry(self, member: TarMember, read: Callable[[int], bytes]) -> Entry:
        if member.kind == SYMBOLIC_LINK:
            if not 0 < len(member.link.encode("utf-8", "surrogateescape")) <= _LONGEST_LINK:
                raise self._unpackable(member, f"a link leads to between 1 and {_LONGEST_LINK} bytes")
            return Link(member.link)
        if member.kind == HARD_LINK:
            return self._linked(member)
        if member.kind == REGULAR:
            return self._file(member, read)
        if member.kind == CHARACTER:
            return GONE if _device(member) == (0, 0) else OPENED.get(_device(member), PLAIN)
        return PLAIN

    def _file(self, member: TarMember, read: Callable[[int], bytes]) -> Entry:
        executable = bool(member.mode & _EXECUTABLE)
        head = head_of(read) if executable or self._hashed else b""
        entry = program(head) if executable else PLAIN
        if not self._hashed:
            return entry
        content = hashlib.sha256(head)
        while data := read(CHUNK):
            content.update(data)
        return replace(entry, sha256=content.digest())

    def _linked(self, member: TarMember) -> Entry:
        """What a hard link is another name of."""
        parts = _parts(member.link)
        if not parts:
            raise self._unpackable(member, "a hard link cannot lead to a directory")
        folder = self._walk(parts[:-1], [self.root])
        entry = folder.entries.get(parts[-1]) if isinstance(folder, Folder) else None
        if entry is None:
            raise self._unpackable(member, "the layer holds nothing of the name that this hard link leads to")
        if isinstance(entry, Folder):
            raise self._unpackable(member, "a hard link cannot lead to a directory")
        return entry

    def _into(self, member: TarMember, parts: list[str]) -> Folder:
        """The folder that an entry is written to; what is missing of it is made, but not what links lead to."""
        if self._last[0] == parts:
            return self._last[1]
        at = [self.root]
        for part in parts:
            entry = at[-1].entries.get(part)
            if entry is None:
                if not self._room.take(part):
                    raise _NoRoomError
                entry = at[-1].entries[part] = self._below(member, at[-1], part)
            if isinstance(entry, Link):
                target = self._walk([part], at)
                if not isinstance(target, Folder):
                    raise self._unpackable(
                        member, f"the link {shown(part)} in its path leads to no folder of the layer"
                    )
                entry = target
            if not isinstance(entry, Folder):
                raise self._unpackable(member, f"{shown(part)} in its path is no folder")
            at.append(entry)
        self._last = (parts, at[-1])
        return at[-1]

    def _walk(self, parts: Iterable[str], at: list[Folder]) -> Entry | None:
        """What stands at `parts`, links followed, from the folder that the path `at` ends with; None is nothing."""
        rest, at, links = deque(parts), [*at], 0
        self._room.steps -= len(at)
        while rest:
            if not self._room.step():
                raise _NoRoomError
            part = rest.popleft()
            if part in ("", ".", ".."):
                if part == ".." and len(at) > 1:
                    at.pop()
                continue
            entry = at[-1].entries.get(part)
            if isinstance(entry, Link) and links < LINKS:
                links += 1
                if entry.target.startswith("/"):
                    del at[1:]
                rest.extendleft(reversed(entry.target.split("/")))
            elif isinstance(entry, Folder):
                at.append(entry)
            else:
                return None if rest or isinstance(entry, Link) else entry
        return at[-1]

    def _refused(self, member: TarMember, why: str) -> ArchiveInvalid:
        """The error of what engines unpack, though not all of them alike."""
        return ArchiveInvalid(
            ArchiveCode.LAYER_INVALID, f"{self._what} holds {shown(member.name)}: {why}; {BUILD_AGAIN}."
        )

    def _unpackable(self, member: TarMember | str, why: str) -> ArchiveInvalid:
        name, link = (member, "") if isinstance(member, str) else (member.name, member.link)
        leads = f" → {shown(link)}" if link else ""
        return ArchiveInvalid(
            ArchiveCode.LAYER_INVALID,
            f"{self._what} cannot be unpacked by Docker at {shown(name)}{leads}: {why}; {BUILD_AGAIN}.",
        )


def _device(member: TarMember) -> tuple[int, int]:
    """The numbers of a device as engines and the kernel cut them."""
    return member.device[0] & 0xFFF, member.device[1] & 0xFFFFF


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]
