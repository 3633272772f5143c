"""The seam between this package and an engine: the real one, but for a few calls that get an answer on record.

So engines of other versions can be asked what they say, and everything else is done by the engine of this machine.
"""

import contextlib
import http.client
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from docker import APIClient
from sandbox.engine import Engine
from sandbox.engines.docker import DockerEngine

Answer = tuple[int, bytes]
Answers = Callable[[str, str, bytes], Answer | None]
"""From method, path with query, and body of a call to the answer on record; None leaves it to the real engine."""
_SOCKET = "/var/run/docker.sock"
_DROPPED = ("connection", "transfer-encoding", "content-length")


def failure(said: str) -> bytes:
    """The body of a call that failed."""
    return json.dumps({"message": said}).encode()


def stream(said: str) -> bytes:
    """What a load that fails writes to its stream."""
    return json.dumps({"errorDetail": {"message": said}, "error": said}).encode() + b"\r\n"


class _Real(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(_SOCKET)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: Answers

    def _handle(self) -> None:
        body = self._body()
        answer = self.answers(self.command, self.path, body)
        status, content, kind = (*answer, "application/json") if answer else self._real(body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in self._headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        with contextlib.suppress(ConnectionError):
            self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):  # who asked may have waited long enough
                self.wfile.write(content)

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    @property
    def _headers(self) -> list[tuple[str, str]]:
        kept, self._kept = getattr(self, "_kept", []), list[tuple[str, str]]()
        return kept

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _real(self, body: bytes) -> tuple[int, bytes, str]:
        connection = _Real("localhost")
        kind = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
        connection.request(self.command, self.path, body, kind)
        said = connection.getresponse()
        content = said.read()
        self._kept = [one for one in said.getheaders() if one[0].lower() not in (*_DROPPED, "content-type")]
        connection.close()
        return said.status, content, said.headers.get("Content-Type", "application/json")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def client() -> Iterator[Any]:
    """Docker's own client of the engine of this machine, for what no part of the platform asks of it."""
    with contextlib.closing(APIClient(f"unix://{_SOCKET}", version="1.41")) as api:
        yield api


@contextmanager
def engine_that(answers: Answers, *, timeout: int = 60) -> Iterator[Engine]:
    """The engine of this machine, but for the calls that `answers` has an answer for; `timeout` seconds for each."""
    handler = type("Handler", (_Handler,), {"answers": staticmethod(answers)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    url = f"tcp://127.0.0.1:{server.server_port}"
    engine = Engine(DockerEngine.connect(url, timeout=timeout), privileged=True)
    try:
        yield engine
    finally:
        engine.close()
        server.shutdown()
        server.server_close()
