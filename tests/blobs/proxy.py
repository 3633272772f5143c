"""A network between us and a store that can be told to fail: it cuts, waits, flips a bit, or answers nothing."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_END = b"\r\n\r\n"
_FOREVER = 10**9


@dataclass
class Weather:
    """What happens to answers whose body has at least `least` bytes, for the next `times` of them.

    cut: only so many bytes of the body arrive; flip: a bit of this byte of it is another; wait: seconds before the
    first byte; silent: nothing is ever answered; closed: every connection ends at once. `seen` are the first lines of
    what was asked.
    """

    least: int = 1
    times: int = _FOREVER
    cut: int | None = None
    flip: int | None = None
    wait: float = 0.0
    silent: bool = False
    closed: bool = False
    seen: list[str] = field(default_factory=list)

    def strikes(self, body: int) -> bool:
        """Whether this answer is one of them."""
        if body < self.least or self.times <= 0:
            return False
        self.times -= 1
        return True


class Proxy:
    """Listens at `endpoint` and hands everything to a store, a request for each connection."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.weather = Weather()
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                ours, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._served, args=(ours,), daemon=True).start()

    def _served(self, ours: socket.socket) -> None:
        weather = self.weather
        with contextlib.suppress(OSError), ours, socket.create_connection(self._target) as theirs:
            head = _head(ours)
            if not head:
                return
            weather.seen.append(head.partition(b"\r\n")[0].decode())
            if weather.closed:
                return
            if weather.silent:
                self._over.wait(600)
                return
            first, _, rest = head.partition(b"\r\n")
            theirs.sendall(first + b"\r\nConnection: close\r\n" + rest)
            threading.Thread(target=_pass_on, args=(ours, theirs), daemon=True).start()
            try:
                self._answer(weather, theirs, ours)
            finally:
                ours.shutdown(socket.SHUT_RDWR)  # else it stays open while somebody reads from it

    def _answer(self, weather: Weather, theirs: socket.socket, ours: socket.socket) -> None:
        head = _head(theirs)
        head, _, body = head.partition(_END)
        length = _length(head)
        strikes = weather.strikes(length)
        if strikes:
            time.sleep(weather.wait)
        ours.sendall(head + _END)
        at = 0
        while body or (body := theirs.recv(2**16)):
            if strikes and weather.flip is not None and at <= weather.flip < at + len(body):
                changed = bytearray(body)
                changed[weather.flip - at] ^= 1
                body = bytes(changed)
            if strikes and weather.cut is not None and at + len(body) > weather.cut:
                ours.sendall(body[: max(0, weather.cut - at)])
                return
            ours.sendall(body)
            at, body = at + len(body), b""


def _head(connection: socket.socket) -> bytes:
    """What came until the empty line, and what came with it."""
    head = b""
    while _END not in head and (more := connection.recv(2**16)):
        head += more
    return head


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)


@contextmanager
def through(target: str) -> Iterator[Proxy]:
    """A proxy before the store at this address."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
