"""What an evaluation's end says to its team: the platform's sentence, and what to do now."""

from dataclasses import dataclass

from contract.statuses import EvaluationStatus
from contract.submissions import EvaluationOut
from evaluator.spec import Limits, with_limit
from evaluator.verdicts import HINTS, VALID, fault_of

_TRY = (
    "Run the image on a case of your own with “proctor try”: it has the limits and checks of this platform."
)
_READ = "Read what was found and the log of each case, under Cases and logs: what the program printed stands there."
_NEXT = {
    EvaluationStatus.SCORED: "Nothing. The scores stand below, and the receipt says what ran on what.",
    EvaluationStatus.REJECTED: f"{_TRY} Then upload the mended image, and submit it. No attempt was spent.",
    EvaluationStatus.ERRORED: "Nothing. The fault is the platform's, the organizers see it and can have it run again. "
    "No attempt was spent.",
    EvaluationStatus.CANCELLED: "Submit the image again whenever you like. No attempt was spent.",
}
_OF_REASONS = {
    "evaluation_too_long": "Make the program faster, or let it load its weights once for many cases, then submit "
    "again. No attempt was spent.",
    "run_invalid": "Let the program write an output of the same width for every case, then submit again. "
    "No attempt was spent.",
}


@dataclass(frozen=True)
class Said:
    """What happened and what to do now, in sentences; `counts`: verdicts of its cases in words, the most first.

    failure: the sentence for the commonest failure of one that was rejected.
    """

    happened: str | None
    to_do: str | None
    failure: str | None = None
    counts: tuple[tuple[str, str, int], ...] = ()


def said_of(evaluation: EvaluationOut, limits: Limits, *, hidden: bool) -> Said:
    """What is to be said of an evaluation as its team sees it; while it goes on what its cases have told so far.

    limits: under which its cases ran. hidden: whether its cases are, so that there are no logs to read.
    """
    counts = tuple(
        (code, hint(code, limits), count)
        for code, count in sorted(evaluation.verdicts.items(), key=lambda one: -one[1])
    )
    if not evaluation.ended:
        return Said(evaluation.note, None, None, counts)
    failure = None if evaluation.failure is None else hint(evaluation.failure, limits)
    status = EvaluationStatus(evaluation.status)
    to_do = _OF_REASONS.get(evaluation.reason_code or "", _NEXT[status])
    if status is EvaluationStatus.REJECTED and not hidden:
        to_do = f"{_READ} {to_do}"
    return Said(evaluation.reason or evaluation.note, to_do, failure, counts)


def hint(code: str, limits: Limits) -> str:
    """The platform's sentence for a verdict of a case, with the limit that the case ran into."""
    if code == VALID:
        return "The output passed every check."
    try:
        return with_limit(HINTS[fault_of(code)], limits)
    except ValueError:
        return "This version of the page has no sentence for it."
