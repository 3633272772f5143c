"""What may stand at a path of an image."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.archive._elf import Executable


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class Other:
    """A file that nobody can execute, a pipe, a device, or (`gone`) the mark that hides what lies below.

    `opens` is what a device node leads to where engines let containers open it. `sha256` is that of a file's content,
    where files are hashed.
    """

    gone: bool = False
    opens: str = ""
    sha256: bytes | None = None


@dataclass(slots=True)
class Folder:
    """A directory; `opaque` hides what layers below have in it.

    `length` is that of its path from the root, without links, in bytes.
    """

    entries: "dict[str, Entry]" = field(default_factory=dict)
    opaque: bool = False
    length: int = 0

    def below(self, name: str) -> "Folder":
        """A new directory that will stand at `name` in this one."""
        return Folder(length=self.length + 1 + len(name.encode("utf-8", "surrogateescape")))


Entry = Folder | Link | Executable | Other
"""What stands at a path."""

PLAIN: Final = Other()
GONE: Final = Other(gone=True)
OPENED: Final = {
    (5, 1): Other(opens="the host's console"),
    (10, 200): Other(opens="the host's network tunnels"),
}
"""Devices beyond those of every container that Docker's rules let one open that has a node of them."""
