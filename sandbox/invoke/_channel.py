"""The two pipes to a container that serves several cases: a JSON line in, a JSON line out.

The engine carries both streams over one socket, in frames of a stream number, a length and bytes. What the
container writes is a stranger's: lines are bounded, and whatever is not the awaited answer is passed over, for
libraries print to standard output as they like.
"""

import json
import struct
import time
from typing import Any

from sandbox.engine import Engine, translate

_STDOUT = 1
_HEADER = struct.Struct(">BxxxL")
_PIECE = 65_536
_LONGEST_LINE = 65_536


class Closed(Exception):
    """The container has closed its standard output: it has ended, or will never answer again."""


class StandardStreams:
    """Standard input and output of one container, attached before it starts."""

    def __init__(self, engine: Engine, container: str) -> None:
        with translate("attaching to a container"):
            self._attached = engine.raw.attach(container)
        self._socket = self._attached.socket
        self._frames = bytearray()
        self._line = bytearray()
        self._too_long = False

    def close(self) -> None:
        """Close both pipes: a well-behaved container ends then."""
        self._attached.close()

    def send(self, message: dict[str, Any]) -> None:
        """Write one line.

        Raises:
            Closed: nobody reads it any more.
        """
        try:
            self._socket.settimeout(10)
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise Closed from error

    def answer(self, case: str, deadline: float) -> dict[str, Any] | None:
        """The next line that is an object whose `case` is this one; None at `deadline` (of time.monotonic).

        Raises:
            Closed: the container will not answer.
        """
        while (left := deadline - time.monotonic()) > 0:
            for line in self._lines(self._receive(left)):
                said = _object(line)
                if said is not None and said.get("case") == case:
                    return said
        return None

    def _receive(self, seconds: float) -> bytes:
        """What has come on standard output, at most `seconds` later; empty if nothing has."""
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(_PIECE)
        except TimeoutError:
            return b""
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        self._frames += data
        return b"".join(self._unpacked())

    def _unpacked(self) -> list[bytes]:
        """The standard output in the frames that are complete; the engine makes frames of 32 KiB at most."""
        pieces = []
        while len(self._frames) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._frames)
            end = _HEADER.size + length
            if len(self._frames) < end:
                break
            if stream == _STDOUT:
                pieces.append(bytes(self._frames[_HEADER.size : end]))
            del self._frames[:end]
        return pieces

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that `data` ends; one that grows past every answer is dropped as it comes."""
        *ended, rest = data.split(b"\n")
        lines = []
        for part in ended:
            self._line += part
            if not self._too_long and len(self._line) <= _LONGEST_LINE:
                lines.append(bytes(self._line))
            self._line.clear()
            self._too_long = False
        self._line += rest
        if len(self._line) > _LONGEST_LINE:
            self._line.clear()
            self._too_long = True
        return lines


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
