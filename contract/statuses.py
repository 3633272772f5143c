"""The states that evaluations, case runs and uploads are in, and the ways to run a case; stored and sent by value."""

from enum import StrEnum


class EvaluationStatus(StrEnum):
    """Where an evaluation stands."""

    QUEUED = "queued"  # no case has been leased yet
    RUNNING = "running"  # some case runs or has run
    SCORING = "scoring"  # every case is done; a score worker takes it next
    SCORED = "scored"  # has a report; the only state that spends an attempt, while its cases are in force
    REJECTED = "rejected"  # ended by the participant's fault
    ERRORED = "errored"  # ended by the platform's fault; an admin may have it retried
    CANCELLED = "cancelled"  # withdrawn by its team or an admin


ENDED = frozenset(
    {
        EvaluationStatus.SCORED,
        EvaluationStatus.REJECTED,
        EvaluationStatus.ERRORED,
        EvaluationStatus.CANCELLED,
    }
)
"""States in which an evaluation stays, but for an errored one that an admin has retried."""


class EvaluationStanding(StrEnum):
    """Whether what an evaluation says counts: on boards, for attempts, and for its team."""

    IN_FORCE = "in_force"
    BESIDE = "beside"  # made by a re-evaluation that is not applied; nobody but organizers knows of it
    REPLACED = "replaced"  # another evaluation of the same submission and task stands in its place
    VOID = "void"  # taken off the boards by an organizer; its attempt is given back


class ReevaluationState(StrEnum):
    """Where a re-evaluation stands."""

    DRAFT = "draft"  # says what it would do, and holds nothing
    RUNNING = "running"  # its evaluations are under way, beside those in force
    READY = "ready"  # all of them have ended, and all that came late is among them
    APPLIED = "applied"  # what it found is in force
    CANCELLED = "cancelled"  # given up before it was applied
    REVERTED = "reverted"  # was applied; what stood before is in force again, for good


class ConsignmentState(StrEnum):
    """Where files stand that an organizer has sent for a version of the cases."""

    WAITING = "waiting"  # for a score worker
    WORKING = "working"  # a score worker makes the version
    DONE = "done"  # the version is made, or was there already
    REFUSED = "refused"  # nothing was made, and the answer says why


class CaseStatus(StrEnum):
    """Where a case run stands."""

    WAITING = "waiting"  # in the queue
    RUNNING = "running"  # leased to a run worker
    PARKED = "parked"  # met a fault of the platform; back in the queue after a pause
    DONE = "done"  # has a verdict
    DROPPED = "dropped"  # its evaluation ended before it ran


class UploadStatus(StrEnum):
    """Where an upload is."""

    RECEIVING = "receiving"  # bytes are missing
    CHECKING = "checking"  # all bytes are here; a score worker checks them, or will
    READY = "ready"  # the archive holds an image that may be submitted
    REJECTED = "rejected"  # it does not, or it ran out; `code` and `message` say why


class QuestionStatus(StrEnum):
    """Where a question to the organizers stands; an announcement is published from the start."""

    OPEN = "open"
    ANSWERED = "answered"  # to its team alone
    PUBLISHED = "published"  # to everybody, in the organizers' words
    CLOSED = "closed"  # without an answer, or taken back; its team reads why


class Mode(StrEnum):
    """How a leased case is to be run."""

    FRESH = "fresh"
    PACKED = "packed"
    INVOKE = "invoke"
    UNSERVED = "unserved"
    """Never leased: a case that one container for many should have answered and did not, so that it ran fresh."""
