"""Which release this is, and which commit it was made of."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HERE = Path(__file__).parent
_COMMIT = _HERE / "commit.txt"
"""Beside this file in what `scripts.release` builds, and nowhere else."""


def release() -> str:
    """Which release it is, such as "0.1.0"; "0" of a source tree that was never installed."""
    for name in ("proctor", "proctor-client"):  # the platform, or what participants install alone
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "0"


def commit() -> str | None:
    """The commit, by twelve digits: as it was built, or of this checkout, with `-dirty` where files differ from it.

    None where nobody knows.
    """
    if _COMMIT.is_file():
        return _COMMIT.read_text().strip()
    if not (_HERE.parent / ".git").exists():
        return None
    ask = ["git", "-C", str(_HERE.parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip() or None


def named(program: str) -> str:
    """What `--version` prints, such as "proctor 0.1.0 (commit 1f0c9a2b3c4d)"."""
    made_of = commit()
    return f"{program} {release()}{f' (commit {made_of})' if made_of else ''}"
