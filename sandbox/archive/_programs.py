"""Which program a call leads to inside an image, and what machine that program is built for.

Found through the layers without unpacking them: PATH, symbolic links, `#!` lines, whiteouts. Where that is not
certain nothing is said, and the container shows what it can.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from sandbox.archive._elf import Executable
from sandbox.archive._entries import Entry
from sandbox.archive._errors import ArchiveCode, ArchiveInvalid, shown
from sandbox.archive._stack import MOUNTED, Lookup, Stack, followed
from sandbox.archive._tar import Tar
from sandbox.archive._unpacked import Allowance, Unpacked

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SCRIPTS = 4
_MOST_STEPS = 20_000  # a PATH of ordinary length takes hundreds

Call = Sequence[str] | None
"""What a task starts an image with; None is the image's own ENTRYPOINT."""


def first_entry(stream: BinaryIO, name: str) -> Entry | None:
    """The first entry of the tar in `stream`, as what stands at `name`.

    Raises:
        ArchiveInvalid: it is no tar.
    """
    tar = Tar(stream, what="the answer", most=8, marked=False)
    layer = Unpacked(Allowance(), "the answer")
    for member in tar:
        layer.add(replace(member, name=name), tar.read)
        break
    return Stack([layer])(name)


class Programs:
    """The programs of an image."""

    def __init__(self, look: Lookup, room: Allowance | None = None) -> None:
        self._look, self._room, self._left = look, room or Allowance(), _MOST_STEPS

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
            self._left = _MOST_STEPS
            for name, program in self._started(words[0], path) if words else ():
                if program.machine not in (None, "linux/amd64"):
                    raise _wrong_machine(words[0], name, str(program.machine))

    def require_machine_everywhere(self, name: str, places: Iterable[str]) -> None:
        """Returns unless every program at `places` is certainly for another machine, wherever PATH leads `name`.

        Raises:
            ArchiveInvalid: wrong_architecture.
        """
        wrong: ArchiveInvalid | None = None
        for place in places:
            started = [program for _, program in self._started(place, "")]
            others = [program.machine for program in started if program.machine not in (None, "linux/amd64")]
            if started and not others:
                return
            if others:
                wrong = wrong or _wrong_machine(name, place, str(others[0]))
        if wrong is not None and self._room.enough and self._left > 0:
            raise wrong

    def may_hold(self, name: str) -> bool:
        """Whether there is an executable file at the absolute path `name`, as far as it is known."""
        return not self._room.enough or self._file(name) is not None

    def _started(self, word: str, path: str) -> Iterator[tuple[str, Executable]]:
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
                waiting += [
                    argument
                    for argument in interpreter[1:2]
                    if not argument.startswith("-") and "=" not in argument
                ]

    def _found(self, word: str, path: str) -> tuple[str, Executable] | None:
        """The executable file that `word` is, found along `path` where it is no path itself."""
        if "/" in word:
            return self._file(word)
        for folder in path.split(":"):
            if not folder.startswith("/") or folder.split("/")[1] in MOUNTED:
                return None
            if (found := self._file(f"{folder}/{word}")) is not None:
                return found
        return None

    def _file(self, path: str) -> tuple[str, Executable] | None:
        name = self._real(path)
        entry = None if name is None else self._look(name)
        return (f"/{name}", entry) if isinstance(entry, Executable) else None

    def _real(self, path: str) -> str | None:
        """Where an absolute path leads through symbolic links; None where there is nothing, or who knows what."""
        if not path.startswith("/"):
            return None
        name = followed(self._look, path, self._step)
        return None if name is None or name.split("/")[0] in MOUNTED else name

    def _step(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _wrong_machine(word: str, name: str, machine: str) -> ArchiveInvalid:
    led = "" if word == name else f", to which {shown(word)} leads,"
    return ArchiveInvalid(
        ArchiveCode.WRONG_ARCHITECTURE,
        f"the program {shown(name)}{led} is built for {machine}, although the image says linux/amd64; "
        "build it for linux/amd64: `docker build --platform linux/amd64 …`, with a base image for it.",
    )
