"""Reads a gzip file piece by piece, so that its reader decides how much is ever unpacked."""

import zlib
from typing import Any, BinaryIO

_zlib: Any = zlib
_ERRORS: Any = zlib.error
try:
    from isal import isal_zlib
except ImportError:  # no wheel for this platform: zlib is slower, but the same
    pass
else:
    _zlib, _ERRORS = isal_zlib, (isal_zlib.IsalError, zlib.error)

_GZIP = 31
_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16
_PIECE = 1 << 20
"""Unpacked at a time: small enough to be copied on from the processor's own memory."""
_MAX_MEMBERS = 100_000
"""Block-gzipped images have thousands of members; millions of empty ones are an attack on the clock."""


class GzipError(Exception):
    """The file is not gzip, is damaged (a checksum is wrong) or ends in the middle."""


class GunzipReader:
    """The content of all gzip members of `source`, unpacked only as far as it is asked for.

    `trailing` says, after the end, whether bytes that are no gzip member follow the last one.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.trailing = False
        self._source = source
        self._pending = b""
        self._member: Any = None
        self._members = 0
        self._ended = False

    def readinto(self, target: memoryview) -> int:
        """Fill `target`; fewer bytes than it holds mean that the content has ended.

        Raises:
            GzipError: see there.
        """
        filled = 0
        while filled < len(target):
            piece = self._piece(min(_PIECE, len(target) - filled))
            if not piece:
                break
            target[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer mean that the content has ended."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def skip(self, limit: int) -> int:
        """Pass over up to `limit` bytes, checking them, and say how many there were."""
        passed = 0
        while passed < limit:
            piece = self._piece(min(_CHUNK, limit - passed))
            if not piece:
                break
            passed += len(piece)
        return passed

    def _piece(self, limit: int) -> bytes:
        while not self._ended:
            if not self._pending:
                self._pending = self._source.read(_CHUNK)
            if self._member is None and not self._next_member():
                break
            piece = self._unpack(limit)
            if piece:
                return piece
        return b""

    def _next_member(self) -> bool:
        if len(self._pending) < len(_MAGIC):
            self._pending += self._source.read(_CHUNK)
        if not self._pending.startswith(_MAGIC):
            if self._members == 0:
                raise GzipError("not a gzip file")
            self._ended, self.trailing = True, bool(self._pending)
            return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise GzipError("too many gzip members")
        self._member = _zlib.decompressobj(wbits=_GZIP)
        return True

    def _unpack(self, limit: int) -> bytes:
        given = self._pending
        try:
            piece: bytes = self._member.decompress(given, limit)
        except _ERRORS:
            raise GzipError("damaged") from None
        if self._member.eof:
            self._pending, self._member = self._member.unused_data, None
        else:
            self._pending = self._member.unconsumed_tail
            if not piece and len(self._pending) == len(given):
                raise GzipError("cut off" if not given else "damaged")
        return piece
