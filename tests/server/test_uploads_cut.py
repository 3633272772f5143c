"""An upload whose connection breaks in the middle goes on where it stood."""

import os
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit
from uuid import UUID

from server.settings import Settings
from server.uploads.files import upload_path
from tests.server.conftest import Tus


def test_what_came_before_a_cut_counts_and_the_rest_follows(tus: Tus, slug: str, settings: Settings) -> None:
    data = os.urandom(6 * 2**20)
    location = tus.begin(slug, data)
    wire = _Wire(tus, location, length=len(data))
    wire.send(data[: 5 * 2**20])
    wire.cut()
    # The server may still be taking in what the wire held.
    _eventually(lambda: tus.offset(location) == 5 * 2**20)
    offset = tus.offset(location)
    _eventually(lambda: tus.patch(location, offset, data[offset:]).status_code == 204)
    assert upload_path(settings.uploads, UUID(location.rsplit("/", 1)[1])).read_bytes() == data


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)


class _Wire:
    """A PATCH on a bare socket, so that it can be cut in the middle."""

    def __init__(self, tus: Tus, location: str, *, length: int) -> None:
        parts = urlsplit(location)
        assert parts.hostname is not None
        self._socket = socket.create_connection((parts.hostname, parts.port or 80))
        head = [
            f"PATCH {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Authorization: {tus.http.headers['Authorization']}",
            "Tus-Resumable: 1.0.0",
            "Upload-Offset: 0",
            "Content-Type: application/offset+octet-stream",
            f"Content-Length: {length}",
        ]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def cut(self) -> None:
        self._socket.close()
