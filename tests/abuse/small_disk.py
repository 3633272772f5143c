"""An ext4 disk of some hundred megabytes in a file, mounted, and a server whose data lies on it."""

import errno
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from sandbox import disks
from server.app import create_app
from server.database import SessionFactory
from server.settings import Settings

MIB = 2**20


@contextmanager
def mounted(size: int) -> Iterator[Path]:
    """The root of an empty disk of `size` bytes; the test is skipped where this process may mount none."""
    if not disks.supported():
        pytest.skip("only root with loop devices can mount a small disk")
    directory = Path(tempfile.mkdtemp(prefix="proctor-disk-"))
    directory.chmod(0o711)
    image, root = directory / "disk.ext4", directory / "data"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, root], check=True)
    try:
        root.chmod(0o711)
        yield root
    finally:
        for _ in range(50):
            if subprocess.run(["umount", root], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        shutil.rmtree(directory)


def free(root: Path) -> int:
    """Bytes that fit on the disk."""
    return shutil.disk_usage(root).free


def fill(path: Path, size: int) -> None:
    """A file of so many bytes that really lie on the disk."""
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def to_the_last_byte(path: Path) -> None:
    """Lets a file grow until nothing fits on its disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (MIB, 4096, 4096):
            _until_full(handle, size)
            os.fsync(handle)  # gives back what the file system keeps while blocks are not laid out yet
    finally:
        os.close(handle)


def _until_full(handle: int, size: int) -> None:
    try:
        while True:
            os.write(handle, bytes(size))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, SessionFactory]]:
    """A running server with these settings: its address, and its sessions."""
    app = create_app(settings)
    sessions: SessionFactory = app.state.sessions
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off", timeout_keep_alive=75)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", sessions
    finally:
        server.should_exit = True
        thread.join()
        sessions.kw["bind"].dispose()


def refused(answer: httpx.Response, code: str = "storage_full") -> str:
    """The sentence of an answer that there is no room."""
    assert answer.status_code == 507, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code, answer.text
    return str(answer.json()["detail"])
