"""Writing an upload's bytes as they come: constant memory, and what the offset says is on the disk."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable

from contract.problems import ErrorCode
from server.disk import storage_full
from server.errors import Problem, StorageFull, TooLarge
from server.front.threads import in_stream_thread
from server.metrics import UPLOAD_BYTES
from server.uploads.service import Incoming
from server.uploads.turns import WINDOW

BUFFER = 4 * 2**20  # bytes gathered before a thread writes them
SYNC = WINDOW  # bytes at most that a crash of the machine costs
IDLE_SECONDS = 60.0

SaveOffset = Callable[[int], None]


class StalledUpload(Problem):
    """The sender went quiet."""

    status, title = 408, "Request timeout"


async def receive(
    chunks: AsyncIterator[bytes], incoming: Incoming, *, save: SaveOffset, idle_seconds: float = IDLE_SECONDS
) -> int:
    """Appends `chunks` to the upload, closes its file and returns the new offset.

    `save` is called in a thread with every offset up to which the bytes are durable. Where `chunks` break off,
    what came before the cut counts, and the error goes on to the caller.

    Raises:
        TooLarge: more bytes than the upload has left; those that fit are kept.
        StorageFull: the disk has no room for more uploads; what fitted is kept.
        StalledUpload: no bytes for `idle_seconds`; a dead connection must not keep the upload locked.
    """
    writer = _Writer(incoming, save)
    try:
        await _take(chunks, writer, idle_seconds)
    finally:
        # Shielded: a server that stops cancels the request, and the bytes it has are still worth keeping.
        await asyncio.shield(in_stream_thread(writer.finish))
    return writer.offset


async def _take(chunks: AsyncIterator[bytes], writer: "_Writer", idle_seconds: float) -> None:
    clock = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(idle_seconds) as timeout:
            async for chunk in chunks:
                writer.add(chunk)
                if writer.buffered >= BUFFER:
                    await in_stream_thread(writer.write)
                timeout.reschedule(clock.time() + idle_seconds)
    except TimeoutError:
        raise StalledUpload(
            ErrorCode.UPLOAD_STALLED,
            f"No bytes came for {idle_seconds:.0f} s. Ask for the offset and resume there.",
        ) from None


class _Writer:
    def __init__(self, incoming: Incoming, save: SaveOffset) -> None:
        self._file = incoming.file
        self._room = incoming.room
        self._save = save
        self._left = incoming.length - incoming.offset
        self._chunks: list[bytes] = []
        self._unsynced = 0
        self.buffered = 0
        self.offset = incoming.offset

    def add(self, chunk: bytes) -> None:
        fits = chunk[: self._left]
        self._chunks.append(fits)
        self.buffered += len(fits)
        self._left -= len(fits)
        if len(fits) < len(chunk):
            raise TooLarge(
                ErrorCode.TOO_MANY_BYTES,
                "More bytes came than the upload's Upload-Length. Begin a new upload.",
            )

    def write(self) -> None:
        data = memoryview(b"".join(self._chunks))
        self._chunks.clear()
        self.buffered = 0
        self._room.require(len(data))
        try:
            while data:
                written = self._file.write(data)
                data = data[written:]
                self._unsynced += written
                self.offset += written
                UPLOAD_BYTES.inc(written)
        except OSError as error:
            raise _full_or(error) from error
        if self._unsynced >= SYNC:
            self._sync()

    def finish(self) -> None:
        try:
            try:
                self.write()
            finally:
                self._sync()
        finally:
            self._file.close()

    def _sync(self) -> None:
        if self._unsynced:
            try:
                os.fdatasync(self._file.fileno())
            except OSError as error:
                raise _full_or(error) from error
            self._unsynced = 0
        self._save(self.offset)


def _full_or(error: OSError) -> OSError | StorageFull:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return (
        storage_full("The server's disk is full. What was received is kept; try again later.")
        if full
        else error
    )
