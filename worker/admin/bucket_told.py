"""Where the blobs of an installation are, kept in its data: without it a command would take the files for all blobs."""

import os
from pathlib import Path

_NAME = "BLOBS_URL"


def note_bucket(data: Path) -> None:
    """Keeps what `up` was told of a bucket. Only an admin forgets it: a start without it is a mistake as a rule."""
    if told := os.environ.get(_NAME):
        _kept(data).write_text(told + "\n")


def untold(data: Path) -> str | None:
    """What is wrong where the blobs are in a bucket that this command is not told of; None where nothing is."""
    kept = _kept(data)
    if os.environ.get(_NAME) or not kept.is_file():
        return None
    return (
        f"The blobs of this installation are in {kept.read_text().strip()}, and {_NAME} is not set here: this program "
        "would take the files in DATA for all there are."
    )


REMEDY = (
    f"Set {_NAME} and the keys as 'proctor-admin up' had them last. Where the blobs were copied back to files, remove "
    "blobs.url from DATA."
)


def _kept(data: Path) -> Path:
    return data / "blobs.url"
