"""A file on its way to this host, compared with its digest when it is whole."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC


class Received:
    """What comes is written to `target`, which nobody else may read and which goes again unless it is kept."""

    def __init__(self, target: Path) -> None:
        self._target, self._digest, self._kept = target, hashlib.sha256(), False
        self.size = 0
        self._file = os.fdopen(os.open(target, _FLAGS, 0o600), "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._kept:
            self._target.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Appends a piece."""
        self._digest.update(piece)
        self.size += len(piece)
        self._file.write(piece)

    def keep(self, sha256: str) -> bool:
        """Keeps the file if it has this digest; whether it has."""
        self._kept = self._digest.hexdigest() == sha256
        return self._kept
