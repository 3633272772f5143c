"""The line between a browser and the server, which a test cuts and mends."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class Wire:
    """A proxy before the server. `cut_after` so many bytes to it all connections end, and none is made until `mend`."""

    def __init__(self, url: str) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._left: int | None = None
        self._down = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, amount: int) -> None:
        """Lets this many more bytes to the server through, then cuts."""
        with self._lock:
            self._left = amount

    def mend(self) -> None:
        with self._lock:
            self._down, self._left = False, None

    def close(self) -> None:
        self._cut()
        self._listener.close()

    def _cut(self) -> None:
        with self._lock:
            self._down = True
            ended = list(self._open)
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._down:
                near.close()
                continue
            far = socket.create_connection(self._target)
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                if counted and self._spent(len(data)):
                    self._cut()
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()

    def _spent(self, amount: int) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= amount
            return self._left <= 0
