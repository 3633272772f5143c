"""What a link is the hash of. docs/operations.md says it for those who check it with other means."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from sqlalchemy import Text, cast, func

from contract.problems import ErrorCode
from server.errors import BadRequest
from server.events import Event

BEGINNING = bytes(32)
"""What the first link follows."""

_DIGITS = 64

WRITTEN = cast(
    func.json_build_array(
        Event.id,
        func.to_char(func.timezone("UTC", Event.created_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        Event.subject,
        Event.subject_id,
        Event.old,
        Event.new,
        Event.code,
        Event.claim_no,
        Event.actor,
        Event.what,
        Event.why,
    ),
    Text,
)
"""All that an event says, as the text of a JSON array."""


@dataclass(frozen=True)
class Head:
    """A link by its number and its hash, 64 hexadecimal digits, and when it was sealed.

    Whoever has it can tell later whether anything up to it was changed. Before the first link it is number 0.
    """

    seq: int
    hash: str
    at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The head that `str` wrote.

        Raises:
            BadRequest: it is none.
        """
        seq, _, digits = text.strip().partition(":")
        try:
            found = cls(int(seq), bytes.fromhex(digits).hex())
        except ValueError:
            found = cls(-1, "")
        if not 0 <= found.seq < 2**63 or len(found.hash) != _DIGITS:
            raise BadRequest(
                ErrorCode.NOT_A_HEAD,
                f"{text[:100]!r} is no head of the audit chain: a number, a colon and {_DIGITS} hexadecimal digits, as "
                "'proctor-admin audit head' prints it.",
            )
        return found


def linked(before: bytes, seq: int, sealed_at: datetime, written: str) -> bytes:
    """The hash of link `seq`: SHA-256 over the one before, "SEQ TIME " and the event as it is written."""
    moment = sealed_at.astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(before + f"{seq} {moment} {written}".encode()).digest()
