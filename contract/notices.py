"""What people are told without asking: kinds of notices, the channels they come by, and what is sent and answered."""

from enum import StrEnum


class Channel(StrEnum):
    """How a notice leaves the platform; within it, everybody it is for reads it."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class DeliveryStatus(StrEnum):
    """Where something that leaves the platform stands."""

    QUEUED = "queued"  # waits for its first or its next try
    DELIVERED = "delivered"  # the receiver took it
    GIVEN_UP = "given_up"  # the receiver does not want it, or did not take it for a day


class Audience(StrEnum):
    """Whom a notice is for."""

    PERSON = "person"  # one
    TEAM = "team"  # a team's members
    CHALLENGE = "challenge"  # all teams of a challenge, and its organizers
    ORGANIZERS = "organizers"  # of a challenge; the admins where nobody is named
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
    WORKER_UNFIT = "worker.unfit"
    DISK_LOW = "disk.low"
    DELIVERY_FAILED = "delivery.failed"
