"""Lists that come page by page: all of them are read, and a server that knows no pages is asked twice at most."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from client.api import Client

_KNOWN = {"status": "done", "warnings": [], "faults": 0}
_KNOWN |= dict.fromkeys(("verdict", "message", "seconds", "peak_memory_bytes", "log"))
CASES = [{"id": f"run-{number}", "case": f"case-{number}", **_KNOWN} for number in range(450)]


@contextmanager
def server(cases: list[dict[str, Any]], *, pages: bool) -> Iterator[tuple[Client, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            wanted = parse_qs(urlsplit(self.path).query)
            ids = [one.get("id", "") for one in cases]
            first = ids.index(wanted["after"][0]) + 1 if pages and "after" in wanted else 0
            content = json.dumps(cases[first : first + int(wanted["limit"][0])] if pages else cases).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        with Client(f"http://127.0.0.1:{listening.server_port}") as client:
            yield client, asked
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 400, 450])
def test_every_page_is_read_once(count: int) -> None:
    with server(CASES[:count], pages=True) as (client, asked):
        assert [one.id for one in client.cases("e")] == [one["id"] for one in CASES[:count]]
    assert len(asked) == count // 200 + 1


@pytest.mark.parametrize("count", [0, 1, 200, 450])
@pytest.mark.parametrize("named", [True, False])
def test_a_server_that_knows_no_pages_is_asked_twice_at_most(count: int, named: bool) -> None:
    cases = [one if named else {**_KNOWN, "case": one["case"]} for one in CASES[:count]]
    with server(cases, pages=False) as (client, asked):
        assert [one.case for one in client.cases("e")] == [one["case"] for one in cases]
    assert len(asked) <= 2
