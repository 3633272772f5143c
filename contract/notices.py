"""What people are told without asking: kinds of notices, the channels they come by, and what is sent and answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, StrictBool

from contract.answers import Answer, Id, OrNewer
from contract.bounds import Few
from contract.ids import NoticeId


class Channel(StrEnum):
    """How a notice leaves the platform; within it, everybody whom it is for reads it."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class DeliveryStatus(StrEnum):
    """Where something that leaves the platform stands."""

    QUEUED = "queued"  # waits for its first or its next try
    DELIVERED = "delivered"  # the receiver took it
    GIVEN_UP = "given_up"  # the receiver does not want it, or did not take it for a day


class Audience(StrEnum):
    """Whom a notice is for."""

    TEAM = "team"  # a team's members
    CHALLENGE = "challenge"  # all teams of a challenge, and its organizers
    ORGANIZERS = "organizers"  # of a challenge; the admins where it has none
    STAFF = "staff"  # a challenge's organizers and the admins
    ADMINS = "admins"


class NoticeKind(StrEnum):
    """What notices tell."""

    SUBMISSION_ENDED = "submission.ended"
    RESULT_CHANGED = "result.changed"
    TEAM_DECIDED = "team.decided"
    QUESTION_ANSWERED = "question.answered"
    ANNOUNCEMENT = "announcement"
    PHASE_OPENED = "phase.opened"
    PHASE_CLOSED = "phase.closed"
    PHASE_MOVED = "phase.moved"
    BOARD_RELEASED = "board.released"
    CHALLENGE_AMENDED = "challenge.amended"
    QUESTION_ASKED = "question.asked"
    TEAM_WAITS = "team.waits"
    EVALUATION_ERRORED = "evaluation.errored"
    SLOT_UNFIT = "slot.unfit"
    DISK_LOW = "disk.low"
    DELIVERY_FAILED = "delivery.failed"


@dataclass(frozen=True)
class MatrixRow:
    """A kind of the matrix: what it tells, whom, and whether it comes by mail unless somebody says otherwise."""

    tells: str
    whom: str
    mail: bool


_TEAM, _ALL, _BOTH = "the team's members", "every team, organizers", "organizers, admins"

MATRIX = {
    NoticeKind.SUBMISSION_ENDED: MatrixRow("all tasks of a submission have ended", _TEAM, True),
    NoticeKind.RESULT_CHANGED: MatrixRow("a re-evaluation changed a result, or was taken back", _TEAM, True),
    NoticeKind.TEAM_DECIDED: MatrixRow(
        "organizers decided about the team, its attempts or a result", _TEAM, True
    ),
    NoticeKind.QUESTION_ANSWERED: MatrixRow("the team's question was answered or closed", _TEAM, True),
    NoticeKind.ANNOUNCEMENT: MatrixRow("organizers announce something, or answer to everybody", _ALL, True),
    NoticeKind.PHASE_OPENED: MatrixRow("a phase opens", _ALL, True),
    NoticeKind.PHASE_CLOSED: MatrixRow("a phase closes", _ALL, True),
    NoticeKind.PHASE_MOVED: MatrixRow("a phase gets other dates", _ALL, True),
    NoticeKind.BOARD_RELEASED: MatrixRow("a leaderboard is released, or its release taken back", _ALL, True),
    NoticeKind.CHALLENGE_AMENDED: MatrixRow("something else is amended", _ALL, False),
    NoticeKind.QUESTION_ASKED: MatrixRow("a team asks", "organizers", True),
    NoticeKind.TEAM_WAITS: MatrixRow("a team waits for approval", "organizers", True),
    NoticeKind.EVALUATION_ERRORED: MatrixRow(
        "evaluations end by the platform's fault, once an hour", _BOTH, True
    ),
    NoticeKind.SLOT_UNFIT: MatrixRow("a slot finds itself unfit", "admins", True),
    NoticeKind.DISK_LOW: MatrixRow("the disk refuses uploads, once a day", "admins", True),
    NoticeKind.DELIVERY_FAILED: MatrixRow(
        "a webhook or an address of mail is given up", "whose webhook it is; admins of mail", True
    ),
}
"""Every kind. Within the platform each comes to all whom it is for, and to the webhooks of theirs that want it."""


def is_told(kind: NoticeKind, *, team: bool, challenge: bool) -> bool:
    """Whether a webhook of a team, of a challenge's organizers or else of the admins is ever sent a kind."""
    whom = MATRIX[kind].whom
    if kind is NoticeKind.DELIVERY_FAILED:
        return True
    if team:
        return whom in (_TEAM, _ALL)
    return whom in (_ALL, "organizers", _BOTH) if challenge else whom in (_BOTH, "admins")


class NoticeOut(Answer):
    """A notice as its reader has it. `about`: ids and names of what it concerns; `read_at`: null until it is read."""

    id: Id
    kind: Annotated[NoticeKind | str, OrNewer()]
    challenge: str | None
    title: str
    text: str
    about: dict[str, str]
    created_at: datetime
    read_at: datetime | None


class UnreadOut(Answer):
    """How many notices are not read yet."""

    unread: int


class ReadIn(BaseModel):
    """Which notices were read: those named, or all up to one."""

    ids: Annotated[list[NoticeId], Few(200)] = []
    until: NoticeId | None = None


class NoticeSettingOut(Answer):
    """Whether a kind comes by mail; `usual` where nothing else was said."""

    kind: Annotated[NoticeKind | str, OrNewer()]
    tells: str
    mail: bool
    usual: bool


class NoticeSettingsOut(Answer):
    """The settings of all kinds; nothing is sent by mail without `mail_is_set_up`, nor to an address not verified."""

    mail_is_set_up: bool
    address_verified: bool
    kinds: list[NoticeSettingOut]


class NoticeSettingIn(BaseModel):
    """Whether notices of a kind are to come by mail."""

    mail: StrictBool
