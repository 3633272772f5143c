"""The git commit that one stands on, and whether anything differs from it; nothing fails where git is odd or absent."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_SECONDS = 2.0
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def source_of(folder: Path, images: Iterable[Path] = ()) -> dict[str, str | bool | None] | None:
    """The commit checked out in `folder`, and whether its tree is clean; None where there is none, or git does not say.

    A file that is new and not ignored counts as a difference, unless it is one of the `images` that are submitted.
    `clean` is None where git takes too long to find out.
    """
    said = _git(folder, "rev-parse", "--show-toplevel", "--verify", "HEAD")
    top, _, commit = (said or "").strip().rpartition("\n")
    if not top or not _COMMIT.fullmatch(commit):
        return None
    changed = _git(folder, "status", "--porcelain", "-z", "--no-renames")
    if changed is None:
        return {"commit": commit, "clean": None}
    known = {image.resolve() for image in images}
    others = [name for name in changed.split("\0") if name and (Path(top) / name[3:]).resolve() not in known]
    return {"commit": commit, "clean": not others}


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it is not there, refuses, or does not answer in time."""
    program = shutil.which("git")
    if program is None:
        return None
    command = [program, "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            env=os.environ | _QUIET,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
