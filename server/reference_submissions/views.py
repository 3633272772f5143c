"""Reference submissions as they leave."""

from datetime import datetime

from contract.reference_submissions import ReferenceJudgement, ReferenceState, ReferenceSubmissionOut
from server.challenges.models import Challenge
from server.reference_submissions.models import ReferenceSubmission
from server.reference_submissions.service import as_expected, is_in_force


def reference_out(challenge: Challenge, row: ReferenceSubmission, at: datetime) -> ReferenceSubmissionOut:
    """One of them, as it stands at `at`."""
    judgements = [ReferenceJudgement.model_validate(judgement) for judgement in row.judgements]
    state = _state(row, at)
    return ReferenceSubmissionOut.of(
        row,
        version=row.spec_version.digest,
        dataset=row.dataset.digest,
        in_force=is_in_force(challenge, row),
        state=state,
        as_expected=as_expected(row),
        evaluator=row.evaluator_version,
        asked_at=row.created_at,
        ended_at=row.finished_at,
        judgements=judgements,
    )


def _state(row: ReferenceSubmission, at: datetime) -> ReferenceState:
    if row.finished_at is not None:
        return ReferenceState.DONE if row.trouble is None else ReferenceState.FAILED
    held = row.lease_until is not None and row.lease_until > at
    return ReferenceState.RUNNING if held else ReferenceState.WAITING
