"""Which program a call leads to inside an image, and what machine that program is built for.

Found through the layers without unpacking them: PATH, symbolic links, `#!` lines, whiteouts. Where that is not
certain nothing is said, and the container shows what it can.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from sandbox.archive._elf import HEAD, Program, program
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._tar import DIRECTORY, HARD_LINK, REGULAR, SYMBOLIC_LINK, Member, Tar

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOUNTED = frozenset({"dev", "proc", "sys", "input", "output", "proctor"})
_EXECUTABLE = 0o111
_LONGEST = 1024
_LINKS = 40  # as many as the kernel follows
_SCRIPTS = 4
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"

Call = Sequence[str] | None
"""What a task starts an image with; None is the image's own ENTRYPOINT."""


@dataclass(frozen=True)
class _Link:
    target: str


class _Other:
    """A directory, or a file that nobody can execute."""


_DIRECTORY: Final = _Other()
_PLAIN: Final = _Other()
Entry = _Link | Program | _Other
"""What stands at a path."""


@dataclass
class Room:
    """How many names may be kept of an image, and characters of them; beyond that nothing is said of it."""

    names: int = 500_000
    characters: int = 64 * 2**20

    def take(self, name: str) -> bool:
        """Whether there is room for one more."""
        self.names -= 1
        self.characters -= len(name)
        return self.enough

    @property
    def enough(self) -> bool:
        """Whether everything fitted so far."""
        return self.names >= 0 and self.characters >= 0


class LayerNames:
    """What one layer puts where, as far as it takes to find a program."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.entries: dict[str, Entry] = {}
        self._removed: set[str] = set()
        self._opaque: set[str] = set()

    def add(self, member: Member, read: Callable[[int], bytes]) -> None:
        """Notes an entry of the layer; `read` gives its content."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if not parts or len(name) > _LONGEST or not self._room.enough:
            return
        self._parents(parts[:-1])
        if parts[-1] == _OPAQUE:
            self._opaque.add("/".join(parts[:-1]))
        elif parts[-1].startswith(_WHITEOUT) and self._room.take(name):
            self._removed.add("/".join([*parts[:-1], parts[-1].removeprefix(_WHITEOUT)]))
        else:
            self._put(name, self._entry(member, read))

    def _parents(self, parts: Sequence[str]) -> None:
        name = "/".join(parts)
        while name and name not in self.entries:
            self._put(name, _DIRECTORY)
            name = name.rpartition("/")[0]

    def _put(self, name: str, entry: Entry) -> None:
        if name in self.entries or self._room.take(name):
            self.entries[name] = entry

    def _entry(self, member: Member, read: Callable[[int], bytes]) -> Entry:
        if member.kind == DIRECTORY:
            return _DIRECTORY
        if member.kind == SYMBOLIC_LINK:
            return _Link(member.link) if len(member.link) <= _LONGEST else _PLAIN
        if member.kind == HARD_LINK:
            target = "/".join(part for part in member.link.split("/") if part not in ("", "."))
            return self.entries.get(target, _PLAIN)
        if member.kind == REGULAR and member.mode & _EXECUTABLE:
            return program(_head(read))
        return _PLAIN

    def hides(self, name: str) -> bool:
        """Whether nothing of the layers below is seen at `name`."""
        if name in self._removed:
            return True
        while name:
            name = name.rpartition("/")[0]
            if name in self._opaque or name in self._removed:
                return True
            if self.entries.get(name, _DIRECTORY) is not _DIRECTORY:
                return True
        return False


def _head(read: Callable[[int], bytes]) -> bytes:
    head = b""
    while len(head) < HEAD and (data := read(HEAD - len(head))):
        head += data
    return head


Lookup = Callable[[str], Entry | None]
"""What stands at a path without leading slash, itself no link's target; None is nothing."""


def in_layers(layers: Sequence[LayerNames]) -> Lookup:
    """What stands where in an image with these layers, from the bottom up."""

    def look(name: str) -> Entry | None:
        for layer in reversed(layers):
            if name in layer.entries:
                return layer.entries[name]
            if layer.hides(name):
                return None
        return None

    return look


def first_entry(stream: BinaryIO, name: str) -> Entry | None:
    """The first entry of the tar in `stream`, as what stands at `name`.

    Raises:
        ArchiveInvalid: it is no tar.
    """
    tar = Tar(stream, what="the answer", most=8, marked=False)
    names = LayerNames(Room())
    for member in tar:
        names.add(replace(member, name=name), tar.read)
        break
    return names.entries.get(name)


class Programs:
    """The programs of an image."""

    def __init__(self, look: Lookup, room: Room | None = None) -> None:
        self._look, self._room = look, room or Room()

    def require_machine(self, calls: Iterable[Call], *, entrypoint: Sequence[str], path: str) -> None:
        """Returns unless one of the calls certainly starts a program for another machine.

        `path` is the image's PATH.

        Raises:
            ArchiveInvalid: wrong_architecture.
        """
        if not self._room.enough:
            return
        for call in calls:
            words = entrypoint if call is None else call
            for name, found in self._started(words[0], path) if words else ():
                if found.machine not in (None, "linux/amd64"):
                    raise _wrong_machine(words[0], name, str(found.machine))

    def may_hold(self, name: str) -> bool:
        """Whether there is an executable file at the absolute path `name`, as far as it is known."""
        return not self._room.enough or self._file(name) is not None

    def _started(self, word: str, path: str) -> Iterator[tuple[str, Program]]:
        """The files that are executed for `word`: a program, or a script and what its `#!` line names."""
        waiting = [word]
        for _ in range(_SCRIPTS):
            found = self._found(waiting.pop(0), path) if waiting else None
            if found is None:
                return
            yield found
            interpreter = found[1].interpreter
            waiting += interpreter[:1]
            if interpreter and interpreter[0].endswith("/env"):
                waiting += [one for one in interpreter[1:2] if not one.startswith("-") and "=" not in one]

    def _found(self, word: str, path: str) -> tuple[str, Program] | None:
        """The executable file that `word` is, found along `path` where it is no path itself."""
        if "/" in word:
            return self._file(word)
        for folder in path.split(":"):
            if not folder.startswith("/") or folder.split("/")[1] in _MOUNTED:
                return None
            if (found := self._file(f"{folder}/{word}")) is not None:
                return found
        return None

    def _file(self, path: str) -> tuple[str, Program] | None:
        name = self._real(path)
        entry = None if name is None else self._look(name)
        return (f"/{name}", entry) if isinstance(entry, Program) else None

    def _real(self, path: str) -> str | None:
        """Where an absolute path leads through symbolic links; None where there is nothing, or who knows what."""
        if not path.startswith("/"):
            return None
        rest, at, links = deque(path.split("/")), list[str](), 0
        while rest:
            part = rest.popleft()
            if part in ("", ".", ".."):
                at = at[:-1] if part == ".." else at
                continue
            entry = self._look("/".join([*at, part]))
            if isinstance(entry, _Link) and links < _LINKS:
                links += 1
                at = [] if entry.target.startswith("/") else at
                rest.extendleft(reversed(entry.target.split("/")))
            elif not isinstance(entry, Program) and entry is not _DIRECTORY:
                return None
            else:
                at.append(part)
        return None if at[:1] and at[0] in _MOUNTED else "/".join(at)


def _wrong_machine(word: str, name: str, machine: str) -> ArchiveInvalid:
    led = "" if word == name else f", to which {shown(word)} leads,"
    return ArchiveInvalid(
        ArchiveCode.WRONG_ARCHITECTURE,
        f"the program {shown(name)}{led} is built for {machine}, although the image says linux/amd64; "
        "build it for linux/amd64: `docker build --platform linux/amd64 …`, with a base image for it.",
    )
