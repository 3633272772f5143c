"""Ids: UUIDv7, so that rows sort by age and an index stays compact (RFC 9562, section 5.7)."""

import os
import re
import time
import uuid
from datetime import datetime, timedelta

from contract.problems import ErrorCode
from server.errors import BadRequest

_LEAST = 4


def new_id() -> uuid.UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def first_id(at: datetime, *, earlier: timedelta) -> uuid.UUID:
    """No id that was made from `at`, less `earlier`, on is smaller."""
    milliseconds = int((at - earlier).timestamp() * 1000) if at.year > 1970 else 0
    return uuid.UUID(int=min(max(milliseconds, 0), 2**48 - 1) << 80)


def ids_between(prefix: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The first and the last id that begins with `prefix`; dashes and capitals do not matter.

    Raises:
        BadRequest: it is no beginning of an id.
    """
    digits = prefix.strip().replace("-", "").lower()
    if not re.fullmatch(f"[0-9a-f]{{{_LEAST},32}}", digits):
        raise BadRequest(
            ErrorCode.NOT_AN_ID,
            f"{prefix!r} is no beginning of an id: at least {_LEAST} of its hexadecimal digits, from its start.",
        )
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
