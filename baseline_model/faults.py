"""Why a training cannot go on, and files that are there whole or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class TrainingError(Exception):
    """A training that cannot go on; the message, one line, says of which file or setting and why."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def written_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` make a file beside `path` and renames it, so that no reader meets a half of it.

    Raises:
        TrainingError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        with part.open("r+b") as file:  # Windows flushes what is open for writing alone
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch says of a full disk that its stream ended
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise TrainingError(f"{path}: cannot be written ({reason})") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
