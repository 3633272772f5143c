"""Codes that go to an address and come back from whoever reads its mail: signed, so that none of them is kept anywhere.

A code holds for one purpose, one account, and what is `bound` to it. Whatever it brings about changes that, so that it
works once: a new password another hash, a new address another address.
"""

import base64
import binascii
import hashlib
import hmac
import struct
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from contract.ids import UserId

_PREFIX = "prm_"
_HEAD = struct.Struct(">16sI")
_SIGNATURE = 20


class Purpose(StrEnum):
    """What a code brings about."""

    VERIFY = "verify"  # bound: the address
    CHANGE = "change"  # bound: the present address and the new one
    RESET = "reset"  # bound: the address and the password as it is stored


LASTS = {
    Purpose.VERIFY: timedelta(days=3),
    Purpose.CHANGE: timedelta(hours=1),
    Purpose.RESET: timedelta(hours=1),
}


def made(key: str, purpose: Purpose, user_id: UserId, *bound: str) -> tuple[str, datetime]:
    """A code, and when it ends."""
    ends = int(time.time() + LASTS[purpose].total_seconds())
    head = _HEAD.pack(user_id.bytes, ends)
    signed = head + _signature(key, purpose, head, bound)
    return _PREFIX + base64.urlsafe_b64encode(signed).decode(), datetime.fromtimestamp(ends, UTC)


def holds(key: str, code: str, purpose: Purpose, user_id: UserId, *bound: str) -> bool | None:
    """Whether this is such a code; None where it was one and has run out."""
    try:
        signed = base64.b64decode(code.strip().removeprefix(_PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    head = signed[: _HEAD.size]
    if len(signed) != _HEAD.size + _SIGNATURE or head[:16] != user_id.bytes:
        return False
    if not hmac.compare_digest(signed[_HEAD.size :], _signature(key, purpose, head, bound)):
        return False
    return True if _HEAD.unpack(head)[1] > time.time() else None


def _signature(key: str, purpose: Purpose, head: bytes, bound: tuple[str, ...]) -> bytes:
    told = b"\0".join((b"code", purpose.encode(), head, *(part.encode(errors="replace") for part in bound)))
    return hmac.digest(key.encode(), told, hashlib.sha256)[:_SIGNATURE]
