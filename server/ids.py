"""Ids: UUIDv7, so that rows sort by age and an index stays compact (RFC 9562, section 5.7)."""

import os
import time
import uuid
from datetime import datetime, timedelta


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
