"""What teams use of what they may, for organizers: storage, and evaluations that may be rejected in a week."""

from datetime import datetime

from contract.answers import Answer, Id


class RejectedUse(Answer):
    """Of a team's evaluations on a task in a phase: those that failed in seven days and are under way, of `most`.

    left: that may still be submitted. next_at: when one more may be at the latest, where none is left.
    """

    phase: str
    task: str
    rejected: int
    under_way: int
    most: int
    left: int
    next_at: datetime | None


class TeamUsage(Answer):
    """Bytes that a team stores (`images` unpacked, each layer once, `uploads` as long as they will be) and may store.

    rejected: where a phase bounds failures, and any count.
    """

    id: Id
    team: str
    images: int
    uploads: int
    allowed: int
    rejected: list[RejectedUse]
