"""Connections on which anything can be said, well-formed or not."""

import socket
import time
from urllib.parse import urlsplit


class Wire:
    """One connection to a server."""

    def __init__(self, url: str, *, window: int | None = None, source: str = "") -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.socket = socket.socket()
        if window is not None:  # a small one, so that what is not read stays with the server
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(30)
        self.socket.connect((parts.hostname, parts.port))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, line: str, *headers: str) -> None:
        """Sends a request's line and headers."""
        self.send("\r\n".join([line + " HTTP/1.1", "Host: proctor", *headers, "", ""]).encode())

    def flood(self, piece: bytes, most: int) -> int:
        """Sends the piece again and again, up to `most` bytes or until the server takes no more; how many went."""
        went = 0
        self.socket.settimeout(5)
        try:
            while went < most:
                went += self.socket.send(piece)
        except OSError:
            pass
        return went

    def status(self) -> int:
        """The status of the answer; 0 where the connection ends without one."""
        words = self.answer().split(b" ", 2)
        return int(words[1]) if len(words) > 1 else 0

    def answer(self) -> bytes:
        """Everything until the server closes the connection."""
        got = bytearray()
        try:
            while data := self.socket.recv(1 << 16):
                got += data
        except OSError:
            pass
        return bytes(got)

    def closed_within(self, seconds: float) -> bool:
        """Whether the server closes the connection in this time; what it says meanwhile is thrown away."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(1 << 16):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False


def chunked(piece: bytes) -> bytes:
    """One chunk of a body of chunks."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)
