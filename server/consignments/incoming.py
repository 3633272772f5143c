"""What organizers send for cases, as it is received: each in a folder of its own below DATA/uploads.

It lies there until a score worker has made of it what was asked for. What a killed process leaves is removed by
`server.storage.sweep`, as everything there that is no upload.
"""

import os
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from contract.ids import ConsignmentId
from contract.problems import ErrorCode
from server.disk import Room, Share, closed, gib
from server.errors import TooLarge
from server.ids import new_id
from server.settings import Settings

PREFIX = "cases-"
_FRESH = 600.0


def place_of(settings: Settings, consignment_id: ConsignmentId) -> Path:
    """The folder of a consignment; its file `sent` holds the bytes."""
    return settings.uploads / f"{PREFIX}{consignment_id}"


def remove(settings: Settings, consignment_id: ConsignmentId) -> None:
    """Removes what was sent."""
    shutil.rmtree(place_of(settings, consignment_id), ignore_errors=True)


class Incoming:
    """Bytes that are being received for the consignment `id`: at most `most`, which a refusal calls `what`."""

    def __init__(self, settings: Settings, *, most: int, what: str) -> None:
        self.id = ConsignmentId(new_id())
        closed(settings.uploads)
        self.folder = place_of(settings, self.id)
        self.folder.mkdir(mode=0o700)
        self._settings, self._most, self._what = settings, most, what
        self._room: Room = settings.room(Share.UPLOADS)
        self._file: BinaryIO = (self.folder / "sent").open("xb")
        self._touched = 0.0

    def write(self, chunk: bytes) -> None:
        """Keeps what came.

        Raises:
            TooLarge, StorageFull: there is no room for so much.
        """
        if self._file.tell() + len(chunk) > self._most:
            raise TooLarge(ErrorCode.BODY_TOO_LARGE, f"{self._what} has at most {gib(self._most)} here.")
        self._room.require(len(chunk))
        self._file.write(chunk)
        if time.monotonic() - self._touched > _FRESH:  # so that no sweep takes it for something left behind
            os.utime(self.folder)
            self._touched = time.monotonic()

    def close(self) -> None:
        """All of it has come."""
        self._file.close()

    def remove(self) -> None:
        """Nothing is to be made of it."""
        self._file.close()
        remove(self._settings, self.id)
