"""A folder of files, written whole or not at all."""

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from client.errors import Local


def require_empty(folder: Path) -> None:
    """Raises Local unless `folder` is not there, or is an empty folder."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        what = "is not empty" if folder.is_dir() else "is there already, and no folder"
        raise Local(f"{folder} {what}.", "Name a folder that is not there yet; nothing was written.")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files, by their path in it, beside `folder`, and then puts all of them into their place.

    Raises:
        Local: `folder` is there and not empty.
        OSError: it cannot be written; nothing of it is left.
    """
    require_empty(folder)
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.parent / f".{place.name}.{uuid.uuid4().hex}"
    try:
        for name, content in files.items():
            target = part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if place.is_dir():  # and empty; somebody may stand in it, so it stays the folder that it is
            for entry in part.iterdir():
                entry.rename(place / entry.name)
        else:
            part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
