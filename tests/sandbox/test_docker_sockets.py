"""Nothing stays open of what Docker's client asks, whether an engine answers or not."""

import contextlib
import gc
import http.server
import json
import socketserver
import tempfile
import threading
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from sandbox.engines import EngineSilent
from sandbox.engines.docker import DockerEngine
from sandbox.engines.podman import PodmanEngine

LINES = {
    "/images/load": [{"stream": "a layer\n"}, {"error": "no space left"}, {"stream": "the end\n"}],
    "/events": [{"status": "kill", "id": "x"}, {"status": "kill", "id": "x"}],
}


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers in chunks, a line each, as Docker does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found = [said for path, said in LINES.items() if path in self.path]
        lines = found[0] if found else [{"ApiVersion": "1.41", "MinAPIVersion": "1.12"}]
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in (*(json.dumps(one).encode() + b"\n" for one in lines), b""):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def address(short: Path) -> Iterator[str]:
    """Where an engine answers, whatever it is asked."""
    with socketserver.ThreadingUnixStreamServer(str(short / "s"), _Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"unix://{short / 's'}"
        server.shutdown()


@contextlib.contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fails where something is left to the collector."""
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in said if one.category is ResourceWarning] == []


@pytest.mark.parametrize("kind", [DockerEngine, PodmanEngine])
def test_where_no_engine_answers_the_socket_is_closed(kind: type[DockerEngine], short: Path) -> None:
    with nothing_left_open(), pytest.raises(EngineSilent):
        kind.connect(f"unix://{short / 'none'}")


def test_an_answer_whose_beginning_says_enough_is_closed_too(address: str) -> None:
    with nothing_left_open():
        engine = DockerEngine.connect(address)
        assert engine.load(BytesIO(b"archive")) == "no space left"
        assert engine.was_killed("x", 0, 1)
        engine.close()


def test_what_connects_again_finds_the_engine_that_has_come(short: Path) -> None:
    address = f"unix://{short / 's'}"
    with pytest.raises(EngineSilent):
        DockerEngine.connect(address)
    with socketserver.ThreadingUnixStreamServer(str(short / "s"), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        DockerEngine.connect(address).close()
        server.shutdown()
