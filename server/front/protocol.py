"""The connection: what uvicorn's HTTP protocol leaves open is bounded here.

Headers have to come within seconds and kilobytes, a reader has to read, and connections are counted: all together, and
of one address half of them, so that nobody alone keeps the others out.
"""

import asyncio
import json
import logging
import resource
import socket
import struct
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from contract.problems import ErrorCode

HEADER_SECONDS = (
    10.0  # from the connection, or the first byte of a further request, to the end of its headers
)
HEADER_BYTES = 64 * 2**10
HEADERS = 100
PIPELINED = 8  # further requests that wait on one connection for the answer to the first
READ_SECONDS = 60.0  # in which a client has to take `_LEAST_READ` bytes of what waits for it
_LEAST_READ = 64 * 2**10
# Of a body that come after its request was answered; its sender then sees the answer.
DISCARDED_BYTES = 16 * 2**20
UNREAD_BYTES = 256 * 2**20  # bytes that wait for clients, all together; beyond, the slowest reader is cut off
ENDS_AT_ONCE = "proctor.ends_at_once"
"""In the scope of a request whose answer has no end of its own: a server that stops does not wait for it."""
_MOST = 8192
_OWN_FILES = 512  # descriptors that are left for the database, files and everything else


def most_connections() -> int:
    """How many connections this process takes: a bound of our own, or what it may open."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(min(_MOST, allowed - _OWN_FILES), 64)


# What strangers send must not fill the log: a line for each would be theirs to write. Not a child of uvicorn's logger,
# which gives its children its own level.
_log = logging.getLogger(__name__)
_log.setLevel(logging.ERROR)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _all: ClassVar[set["Protocol"]] = set()
    addresses: ClassVar[Counter[str]] = Counter()
    _slow: ClassVar[dict["Protocol", None]] = {}  # clients that something waits for, the longest first
    _idle: ClassVar[dict["Protocol", None]] = {}  # connections without a request, the longest first
    _most: ClassVar[int] = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = _log
        self._address = ""
        self._head: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._unread = 0
        self._progress = False
        self._in_body = self._too_many = False
        self._discarded = 0
        # Bytes since anything came of them: headers without an end, trailers, extensions of chunks.
        self._quiet = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection, or says that there are too many."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._all.add(self)
        self.addresses[self._address] += 1
        cls = type(self)
        cls._most = cls._most or most_connections()
        if not self._has_room(cls._most):
            self._refuse(
                503, ErrorCode.BUSY, "Busy", "Too many connections are open. Try again in some seconds."
            )
            return
        self._idle[self] = None
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        super().connection_lost(exc)
        self._all.discard(self)
        self.addresses[self._address] -= 1
        if not self.addresses[self._address]:
            del self.addresses[self._address]
        self._slow.pop(self, None)
        self._idle.pop(self, None)
        self._forget_headers()
        if self._reading is not None:
            self._reading.cancel()

    def data_received(self, data: bytes) -> None:
        """Takes bytes; those of a request's headers have to come to an end in time."""
        if self.transport.is_closing():
            return
        if self._head is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()
        self._quiet += len(data)
        super().data_received(data)
        if self._quiet > HEADER_BYTES and not self.transport.is_closing():
            self._too_large()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._too_many = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those that follow a body are nobody's."""
        if self._in_body:
            return
        if len(self.headers) < HEADERS:
            super().on_header(name, value)
        else:
            self._too_many = True

    def on_headers_complete(self) -> None:
        """The headers are there."""
        if self.transport.is_closing():
            return
        self._quiet, self._in_body, self._discarded = 0, True, 0
        self._idle.pop(self, None)
        self._forget_headers()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self._too_many or size > HEADER_BYTES:
            self._too_large()
            return
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            self._cut_off()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._quiet = 0
        if self.transport.is_closing():
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > DISCARDED_BYTES:
                self.transport.close()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._quiet, self._in_body = 0, False
        if self.transport.is_closing():
            return
        super().on_message_complete()
        # Answered before its body had come: from now on the connection is idle.
        if self.cycle.response_complete:
            self._forget_headers()
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def shutdown(self) -> None:
        """The server stops: what is being answered ends first, but for what would not end."""
        super().shutdown()
        if self.cycle is not None and ENDS_AT_ONCE in self.cycle.scope:
            self.transport.close()

    def pause_writing(self) -> None:
        """More waits for the client than fits into its buffer."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The client has taken most of what waited for it."""
        self._progress = True
        super().resume_writing()

    def on_response_complete(self) -> None:
        """The answer is written; the client may still have to take it."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._idle[self] = None
        if self._waiting() and self._reading is None:
            self._expect_reading()

    def _has_room(self, most: int) -> bool:
        """Whether this connection may stay; where all are taken, the one goes that was longest without a request."""
        if self.addresses[self._address] > most // 2:
            return False
        if len(self._all) > most:
            longest = next(iter(self._idle), None)
            if longest is None:
                return False
            longest._cut_off()
        return True

    def _expect_headers(self) -> None:
        self._head = self.loop.call_later(HEADER_SECONDS, self._no_headers)

    def _forget_headers(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _no_headers(self) -> None:
        self._head = None
        if self._in_body:  # the rest of a body whose request was answered long ago
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(
                408,
                ErrorCode.HEADERS_TOO_SLOW,
                "Request timeout",
                "The request's headers did not come in time.",
            )

    def _waiting(self) -> int:
        return self.transport.get_write_buffer_size()

    def _expect_reading(self) -> None:
        self._slow[self] = None
        if self._reading is None:
            self._unread, self._progress = self._waiting(), False
            self._reading = self.loop.call_later(READ_SECONDS, self._look_at_reader)
        if sum(connection._waiting() for connection in self._slow) > UNREAD_BYTES:
            next(connection for connection in self._slow if connection._waiting())._cut_off()

    def _look_at_reader(self) -> None:
        self._reading = None
        left = self._waiting()
        if not left:
            self._slow.pop(self, None)
        elif self._progress or left <= self._unread - _LEAST_READ:
            self._expect_reading()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        """Ends the connection at once, with what waits for its client here and in the kernel."""
        self.pipeline.clear()
        self._slow.pop(self, None)
        self._idle.pop(self, None)
        if self.cycle is not None:
            self.cycle.disconnected = True  # what its application still says goes nowhere
            self.cycle.message_event.set()
        self.flow.resume_writing()
        wire = self.transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is answered and closed."""
        self._refuse(400, ErrorCode.NOT_HTTP, "Bad request", "This cannot be read as a request of HTTP/1.1.")

    def _too_large(self) -> None:
        detail = f"A request has at most {HEADERS} headers, and with its address {HEADER_BYTES // 1024} KiB of them."
        self._refuse(431, ErrorCode.HEADERS_TOO_LARGE, "Headers too large", detail)

    def _refuse(self, status: int, code: ErrorCode, title: str, detail: str) -> None:
        """Answers without the application, and closes."""
        problem = {"type": f"urn:proctor:problem:{code}", "title": title, "status": status, "detail": detail}
        body = json.dumps({**problem, "code": code}).encode()
        head = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        head += [(b"connection", b"close"), *([(b"retry-after", b"5")] if status == 503 else [])]
        lines = [name + b": " + value + b"\r\n" for name, value in head]
        started = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not started:
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.close()
