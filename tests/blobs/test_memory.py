"""However large a blob is, few of its bytes are in memory at once: measured in a process of its own."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

from server.blobs import BlobStore, BucketPlace, FileStore, store_of
from tests.blobs.servers import S3Server

MIB = 2**20
SIZE = 256
MOST = 128
"""MiB of memory that a blob of twice as many may take on its way in or out: parts and pieces of 8 MiB, some at once."""


def test_a_large_blob_goes_in_and_out_through_little_memory(on_swift: S3Server, tmp_path: Path) -> None:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_measured, args=(theirs, on_swift.bucket(), tmp_path)
    )
    process.start()
    theirs.close()
    found: dict[str, float] = ours.recv()
    process.join()
    ours.close()
    assert process.exitcode == 0
    assert found.keys() == {"in", "streamed", "to a file"}
    assert all(0 < peak < MOST for peak in found.values()), found


def _measured(pipe: Connection, place: BucketPlace, folder: Path) -> None:
    """Sends how many MiB each way took beside what the process had before."""
    store = store_of(place, FileStore(folder / "blobs"))
    list(store.read(store.put(b"connections and threads are there")))
    base = _resident("VmRSS")
    digest = _put(store)
    found = {"in": _peak(base)}
    assert sum(map(len, store.read(digest))) == SIZE * MIB
    found["streamed"] = _peak(base)
    store.bring({folder / "layer": digest})
    found["to a file"] = _peak(base)
    pipe.send(found)


def _put(store: BlobStore) -> str:
    _forget_peak()
    block = os.urandom(MIB)
    with store.writer() as writer:
        for _ in range(SIZE):
            writer.write(block)
        return writer.commit()


def _peak(base: float) -> float:
    peak = _resident("VmHWM") - base
    _forget_peak()
    return peak


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _resident(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
