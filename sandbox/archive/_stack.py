"""Unpacked layers on top of each other: what stands where in an image."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sandbox.archive._entries import GONE, Entry, Folder, Link, Other
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._unpacked import LINKS, Allowance, Unpacked

MOUNTED: Final = frozenset({"dev", "proc", "sys", "input", "output", "proctor"})
"""Folders of the root over which a container has other ones than the image's."""

Lookup = Callable[[str], Entry | None]
"""What stands at a path without leading slash, itself no link's target; None is nothing."""


class Stack:
    """Layers on top of each other, from the bottom up: what stands where in an image."""

    def __init__(self, layers: Iterable[Unpacked]) -> None:
        self._folders: dict[str, tuple[Folder, ...]] = {
            "": tuple(_seen(layer.root for layer in reversed([*layers])))
        }

    def __call__(self, name: str) -> Entry | None:
        """What stands at the path `name`."""
        folder, _, last = name.rpartition("/")
        for below in self._at(folder):
            entry = below.entries.get(last)
            if entry is not None:
                return None if entry is GONE else entry
        return None

    def _at(self, path: str) -> tuple[Folder, ...]:
        """The folders that are merged at `path`, from the top down."""
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        for longer in reversed(missing):
            part = longer.rpartition("/")[2]
            below = self._folders[longer.rpartition("/")[0]]
            self._folders[longer] = tuple(_seen(level.entries.get(part) for level in below))
        return self._folders[missing[0] if missing else path]

    def called(self, name: str) -> Iterator[str]:
        """The paths at which something is called `name`, with a leading slash."""
        for path, folders in self._all():
            if any(name in folder.entries for folder in folders):
                yield f"{path}/{name}"

    def nodes(self) -> Iterator[tuple[str, Other]]:
        """The device nodes that a container could open, outside /dev, over which the engine mounts its own."""
        for path, folders in self._all():
            names = {
                part
                for folder in folders
                for part, entry in folder.entries.items()
                if isinstance(entry, Other)
            }
            for name in sorted(names) if path != "/dev" and not path.startswith("/dev/") else ():
                entry = next(folder.entries[name] for folder in folders if name in folder.entries)
                if isinstance(entry, Other) and entry.opens:
                    yield f"{path}/{name}", entry

    def _all(self) -> Iterator[tuple[str, tuple[Folder, ...]]]:
        """Every folder, with those that are merged in it from the top down."""
        waiting = [("", self._folders[""])]
        while waiting:
            path, folders = waiting.pop()
            yield path, folders
            names = {
                part
                for folder in folders
                for part, entry in folder.entries.items()
                if isinstance(entry, Folder)
            }
            merged = ((part, tuple(_seen(folder.entries.get(part) for folder in folders))) for part in names)
            waiting += [(f"{path}/{part}", below) for part, below in merged if below]


def followed(look: Lookup, path: str, step: Callable[[], bool]) -> str | None:
    """Where an absolute path leads through symbolic links, which end at the image's own root, without a leading slash.

    None where there is nothing. It ends where `step`, which is asked before each part, says that there is no room.
    """
    rest, at, links, file = deque(path.split("/")), list[str](), 0, False
    while rest:
        if not step():
            return None
        part = rest.popleft()
        if file:
            return None  # also with no more than a slash behind it
        if part in ("", ".", ".."):
            at = at[:-1] if part == ".." else at
            continue
        entry = look("/".join([*at, part]))
        if isinstance(entry, Link):
            links += 1
            at = [] if entry.target.startswith("/") else at
            rest.extendleft(reversed(entry.target.split("/")))
        elif entry is not None:
            at.append(part)
            file = not isinstance(entry, Folder)
        if entry is None or links > LINKS:
            return None
    return "/".join(at)


def require_closed(stack: Stack, layers: Iterable[Unpacked], room: Allowance) -> None:
    """Returns unless the image has a device node that a container could open.

    Raises:
        ArchiveInvalid: unsafe_device; of an image too large to be looked at too, wherever the node is.
    """
    names = [layer.opening for layer in layers if layer.opening]
    if not names:
        return
    if not room.enough:
        raise _unsafe_device(names[0], "a device of the host")
    for path, node in stack.nodes():
        raise _unsafe_device(path, node.opens)


def _unsafe_device(path: str, opens: str) -> ArchiveInvalid:
    return ArchiveInvalid(
        ArchiveCode.UNSAFE_DEVICE,
        f"the image holds the device node {shown(path)}, which would open {opens} to a container; remove it in the "
        "Dockerfile (`RUN rm …`) and save the image again.",
    )


def _seen(entries: Iterable[Entry | None]) -> Iterator[Folder]:
    """Those folders of one place, from the top down, of which something is seen."""
    for entry in entries:
        if entry is None:
            continue
        if not isinstance(entry, Folder):
            return
        yield entry
        if entry.opaque:
            return
