"""The installation on one screen, for admins."""

from datetime import datetime
from typing import Annotated

from contract.answers import Answer, Older


class PhaseStatus(Answer):
    """A phase: `state` in a word (no date, opens, open, closed, released), and what waits of it.

    `cases`, `evaluations`: without a verdict, and not ended; `oldest`: when the oldest of these was submitted; `empty`:
    when nothing of it will wait, null where nothing does or nobody knows. `next`: what comes next, and when.
    """

    challenge: str
    phase: str
    state: str
    next: str | None
    next_at: datetime | None
    cases: int
    evaluations: int
    oldest: datetime | None
    empty: datetime | None


class SlotsStatus(Answer):
    """How many slots work, are idle, drain, are unfit, or were there and are gone; `reasons`: why some take no work.

    present: those that are there, whether they take work or not; running: those of them that run a case.
    """

    working: int
    idle: int
    draining: int
    unfit: int
    gone: int
    reasons: list[str]
    present: Annotated[int, Older(0)]
    running: Annotated[int, Older(0)]


class DiskStatus(Answer):
    """What is free on the data disk and what of it is kept, in bytes; `sentence`: what still works."""

    free: int
    reserve: int
    sentence: str


class ExpiringOut(Answer):
    """A token that ends soon."""

    name: str
    owner: str
    expires_at: datetime


class VersionsOut(Answer):
    """The code's release; the database's schema and the one that the code needs (null: not known); the evaluator.

    `commit`: what the code was made of, by twelve digits, with `-dirty` where files differ from it; null: not known.
    `scored_with`: how many evaluations that count were scored with which evaluator.
    """

    release: str
    commit: Annotated[str | None, Older(None)]
    schema_is: str | None
    schema_needed: str | None
    evaluator: str
    scored_with: dict[str, int]


class InstallationOut(Answer):
    """All of it. `to_do`: what somebody should look at, the weightiest first; empty where nothing is.

    `errored`: evaluations that ended by the platform's fault in the last day; `backup_at`: when the last whole backup
    was made, null where none is known.
    """

    at: datetime
    to_do: list[str]
    phases: list[PhaseStatus]
    teams: int
    people: int
    submissions_last_day: int
    slots: SlotsStatus
    errored: int
    errors: str | None
    disk: DiskStatus
    backup_at: datetime | None
    expiring: list[ExpiringOut]
    versions: VersionsOut
