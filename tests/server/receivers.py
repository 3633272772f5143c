"""Receivers of mail and webhooks that are really there, on this host, and do what a test says."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Hook:
    """A receiver of webhooks. `does`: what it does with each message in turn, the last one for ever.

    A status, `hang` or `drop`, or a status with the Location that it names.
    """

    does: list[Any] = field(default_factory=lambda: [204])
    port: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def next(self) -> Any:
        return self.does.pop(0) if len(self.does) > 1 else self.does[0]


@contextmanager
def hook(*does: Any) -> Iterator[Hook]:
    found = Hook(list(does) or [204])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            what = found.next()
            if what == "hang":
                found.release.wait(30)
                return
            if what == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, location = what if isinstance(what, tuple) else (what, None)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        found.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Post:
    """A mail server. `says`: its answer to a recipient, for the first tries; then it takes what comes."""

    port: int = 0
    says: list[str] = field(default_factory=list)
    never: dict[str, str] = field(default_factory=dict)
    got: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.never:
            return self.never[address]
        if self.says:
            return self.says.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        return "250 taken"

    def to(self, address: str) -> list[Envelope]:
        return [envelope for envelope in self.got if envelope.rcpt_tos == [address]]


@contextmanager
def post_office(port: int, *says: str, **options: Any) -> Iterator[Post]:
    found = Post(port, list(says))
    controller = Controller(found, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
