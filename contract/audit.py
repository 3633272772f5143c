"""The chain over the event log, as it is answered for admins."""

from datetime import datetime
from enum import StrEnum

from contract.answers import Answer, Id


class HeadOut(Answer):
    """The last link of the chain: its number, the hash over all up to it, when it was sealed.

    Number 0, sealed never: nothing is. text: number and hash as they are given back to be compared. signature: by the
    key of receipts, over the JSON {"audit": text} without spaces; public_key: of that key.
    """

    seq: int
    hash: str
    at: datetime | None
    text: str
    signature: str
    public_key: str


class Damage(StrEnum):
    """What is wrong with a place of the chain."""

    CHANGED = "changed"
    """The event or its link is not what was sealed."""
    REMOVED = "removed"
    """The event is gone."""
    UNLINKED = "unlinked"
    """Links are gone."""
    INSERTED = "inserted"
    """The event says that it is older than what was sealed long before it."""
    OTHER_PAST = "other_past"
    """The chain does not lead to a head that was told."""


class BreakOut(Answer):
    """A broken place: the number of the link, None where the event has none; the event, None where that is gone."""

    seq: int | None
    event_id: Id | None
    damage: Damage
    told: str


class AuditOut(Answer):
    """What checking the chain found. sound: nothing is broken. checked: links that were computed anew.

    unsealed: events that no link has yet. broken: how many places; places: the first ones of them.
    """

    sound: bool
    head: HeadOut
    checked: int
    unsealed: int
    broken: int
    places: list[BreakOut]
