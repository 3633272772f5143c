"""Where the blobs of an installation are, kept in its data: without it a command would take the files for all blobs."""

import os
from pathlib import Path

_NAME = "BLOBS_URL"


def note_bucket(data: Path) -> None:
    """Keeps what `up` was told of a bucket, until it starts without one."""
    kept, told = _kept(data), os.environ.get(_NAME)
    if told:
        kept.write_text(told + "\n")
    else:
        kept.unlink(missing_ok=True)


def untold(data: Path) -> str | None:
    """What is wrong where the blobs are in a bucket that this command is not told of; None where nothing is."""
    kept = _kept(data)
    if os.environ.get(_NAME) or not kept.is_file():
        return None
    return (
        f"The blobs of this installation are in {kept.read_text().strip()}, and {_NAME} is not set here: this command "
        "would take the files in DATA for all there are."
    )


REMEDY = (
    f"Set {_NAME} and the keys as 'proctor-admin up' has them. Where the blobs were copied back to files, start it "
    "once without them."
)


def _kept(data: Path) -> Path:
    return data / "blobs.url"
