"""Writing an upload's bytes: what is durable, what is kept when the sender or the disk fails."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import pytest

from server.disk import Room
from server.errors import StorageFull, TooLarge
from server.uploads.receive import BUFFER, SYNC, StalledUpload, receive
from server.uploads.service import Incoming


def _incoming(path: Path, length: int) -> Incoming:
    file: BinaryIO = path.open("r+b" if path.exists() else "w+b", buffering=0)
    return Incoming(id=uuid4(), actor="tests", offset=0, length=length, file=file, room=Room(path, 0))


async def _chunks(chunk: bytes, times: int, then: Exception | None = None) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield chunk
    if then is not None:
        raise then


def test_what_came_before_the_sender_broke_off_is_saved(tmp_path: Path) -> None:
    saved: list[int] = []
    incoming = _incoming(tmp_path / "upload", 100)
    with pytest.raises(ConnectionResetError):
        asyncio.run(receive(_chunks(b"0123456789", 3, ConnectionResetError()), incoming, save=saved.append))
    assert saved == [30]
    assert (tmp_path / "upload").read_bytes() == b"0123456789" * 3
    assert incoming.file.closed


def test_offsets_are_saved_on_the_way(tmp_path: Path) -> None:
    saved: list[int] = []
    length = SYNC + 2 * BUFFER
    incoming = _incoming(tmp_path / "upload", length)
    offset = asyncio.run(receive(_chunks(bytes(BUFFER), length // BUFFER), incoming, save=saved.append))
    assert offset == length
    assert saved == [SYNC, length]


def test_memory_does_not_grow_with_the_upload(tmp_path: Path) -> None:
    chunk = bytes(2**16)

    def peak(length: int) -> int:
        tracemalloc.start()
        incoming = _incoming(tmp_path / str(length), length)
        asyncio.run(receive(_chunks(chunk, length // len(chunk)), incoming, save=lambda offset: None))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(64 * 2**20) < peak(8 * 2**20) + 2**20


def test_a_quiet_sender_is_let_go_with_its_bytes_saved(tmp_path: Path) -> None:
    async def quiet() -> AsyncIterator[bytes]:
        yield b"0123456789"
        await asyncio.sleep(60)

    saved: list[int] = []
    with pytest.raises(StalledUpload):
        asyncio.run(
            receive(quiet(), _incoming(tmp_path / "upload", 100), save=saved.append, idle_seconds=0.05)
        )
    assert saved == [10]


def test_bytes_that_fit_are_kept_when_too_many_come(tmp_path: Path) -> None:
    saved: list[int] = []
    with pytest.raises(TooLarge):
        asyncio.run(receive(_chunks(b"0123456789", 2), _incoming(tmp_path / "upload", 15), save=saved.append))
    assert saved == [15]
    assert (tmp_path / "upload").read_bytes() == b"012345678901234"


def test_a_full_disk_is_told_and_nothing_is_claimed() -> None:
    saved: list[int] = []
    with pytest.raises(StorageFull, match="disk is full"):
        asyncio.run(receive(_chunks(b"0123456789", 1), _incoming(Path("/dev/full"), 100), save=saved.append))
    assert max(saved, default=0) == 0


def test_a_server_that_stops_saves_what_it_has(tmp_path: Path) -> None:
    saved: list[int] = []

    async def stop_in_the_middle() -> None:
        started = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"0123456789"
            started.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(receive(endless(), _incoming(tmp_path / "upload", 100), save=saved.append))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_in_the_middle())
    assert saved == [10]
