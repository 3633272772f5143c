"""What stands where in a stranger's file system, looked at from outside and without being led out of it."""

import stat
import subprocess
from pathlib import Path

from sandbox.engines._errors import EngineRefused, EngineSlow
from sandbox.engines._protocol import PathStat

_MOST_LINKS = 40


class LinksInACircle(OSError):
    """A path leads through more links than any program follows."""


def path_stat(root: Path, path: str) -> PathStat | None:
    """What stands at the absolute `path` of the file system whose top is `root`; nothing of it may run meanwhile.

    Links of folders are followed, the last one is told: `link` is where it leads to, through all others. None where
    there is nothing.

    Raises:
        OSError: the path cannot be followed.
    """
    here = root / resolved(root, path, last=False)[1:]
    try:
        state = here.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = stat.S_IFMT(state.st_mode)
    link = resolved(root, path, last=True) if kind == stat.S_IFLNK else None
    return PathStat(state.st_size, link, kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK))


def resolved(root: Path, path: str, *, last: bool) -> str:
    """The path without links, of the last part only with `last`; what is not there is taken as it is named.

    Raises:
        OSError: as `path_stat`.
    """
    ahead, done, links = path.split("/")[::-1], list[str](), 0
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, name)
        if (ahead or last) and here.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise LinksInACircle(path)
            target = str(here.readlink())
            done = [] if target.startswith("/") else done
            ahead += target.split("/")[::-1]
        else:
            done.append(name)
    return "/" + "/".join(done)


def copy_folder(source: Path, target: Path, seconds: float) -> None:
    """Everything in a folder, with owners, modes and links as they are, and the folder's own; nothing if it is none.

    Raises:
        EngineRefused: it does not fit.
        EngineSlow: it takes longer than so many seconds.
    """
    if not source.is_dir():
        return
    command = ["cp", "--archive", "--", f"{source}/.", str(target)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise EngineSlow(f"copying what an image has at {source} took too long") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineRefused(500, said)
