"""What the server answers, as far as the client reads it; unknown fields are left aside."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SCORED, REJECTED, ERRORED, CANCELLED = "SCORED", "REJECTED", "ERRORED", "CANCELLED"
ENDED = frozenset({SCORED, REJECTED, ERRORED, CANCELLED})


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Status = Annotated[str, BeforeValidator(_upper)]
"""A state in capitals, as people write it; the server's JSON has small letters."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Account(_Answer):
    """Who a token belongs to."""

    email: str
    name: str
    is_admin: bool = False


_Secret = Annotated[str, Field(pattern=r"^[!-~]{1,1000}$")]
"""What is sent back in a header: a server that gives out anything else is none of ours."""


class NewToken(_Answer):
    """A token with its secret."""

    id: str
    token: _Secret


class StoredImage(_Answer):
    """An image that a team has on the server; `size` in bytes, unpacked."""

    id: str
    digest: str
    size: int
    created_at: datetime


class Storage(_Answer):
    """Bytes that a team stores and may store."""

    used: int
    allowed: int


class Token(_Answer):
    """An API token without its secret; `parent_id` is the one that it was made with, and ends with."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    parent_id: str | None = None


class OpenedSession(_Answer):
    """A session's token, and what is sent along at the next log-in; None of an older server."""

    token: _Secret
    device: str | None = None


class OpenSession(_Answer):
    """A session that has not ended."""

    id: str
    created_at: datetime
    expires_at: datetime | None = None
    current: bool = False


class Invitation(_Answer):
    """An open invitation without its code."""

    id: str
    created_at: datetime
    expires_at: datetime


class Member(_Answer):
    """A person in a team."""

    name: str
    is_captain: bool = False


class Team(_Answer):
    """A team of one challenge."""

    id: str
    name: str
    members: tuple[Member, ...] = ()


class Phase(_Answer):
    """A phase of a challenge and whether it takes submissions now; `tasks` have cases, None of an older server."""

    name: str
    title: str
    open: bool
    opens: datetime | None = None
    closes: datetime | None = None
    tasks: tuple[str, ...] | None = None

    @property
    def has_closed(self) -> bool:
        """Whether its last day is over, by this machine's clock."""
        return self.closes is not None and self.closes <= datetime.now(UTC)


class Challenge(_Answer):
    """A challenge in the server's list."""

    slug: str
    title: str
    tracks: tuple[str, ...]
    phases: tuple[Phase, ...]


class Upload(_Answer):
    """An upload: receiving | checking | ready | rejected."""

    id: str
    status: str
    offset: int
    length: int
    image: str | None = None
    code: str | None = None
    message: str | None = None


class Score(_Answer):
    """A metric's value with its interval; None carries a reason. note: what is to be said of the interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None
    note: str | None = None


class Evaluation(_Answer):
    """One task of a submission; `progress` counts tenths."""

    id: str
    task: str
    image: str | None = None
    status: Status
    reason_code: str | None = None
    reason: str | None = None
    failure: str | None = None
    progress: int = 0
    cases: int | None = None
    note: str | None = None
    verdicts: dict[str, int] = {}
    scores: dict[str, dict[str, Score]] = {}

    @property
    def ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


class CaseRun(_Answer):
    """One case of an evaluation in a phase whose cases are public; `verdict` is None before it has ended.

    `log` is the end of the container's log in a list, all of it where one case is asked for.
    """

    id: str = ""
    case: str
    verdict: str | None = None
    message: str | None = None
    seconds: float | None = None
    log: str | None = None


class Submission(_Answer):
    """A submission and its evaluations; an older server does not say whether its cases are `hidden`."""

    id: str
    track: str
    phase: str
    hidden: bool = False
    created_at: datetime
    evaluations: tuple[Evaluation, ...]

    @property
    def ended(self) -> bool:
        """Whether every evaluation has ended."""
        return all(one.ended for one in self.evaluations)


class Quota(_Answer):
    """Valid attempts on one task, track and phase, and rejections in seven days; None means without limit."""

    task: str
    track: str
    phase: str
    valid: int | None
    spent: int
    reserved: int
    left: int | None
    rejected_per_week: int | None = None
    rejected: int = 0
    rejected_left: int | None = None
    rejected_next_at: datetime | None = None
