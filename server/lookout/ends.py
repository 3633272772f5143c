"""Submissions all of whose evaluations have ended, as their teams may see it by now."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.notices import Audience, NoticeKind
from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge
from server.challenges.service import list_challenges
from server.evaluations.models import SHOWN, Evaluation
from server.evaluations.status import ACTIVE
from server.evaluations.ticks import is_shown
from server.notices.service import tell
from server.submissions.models import Submission

_AT_ONCE = 50
_WORDS = {
    EvaluationStatus.SCORED: "scored",
    EvaluationStatus.REJECTED: "rejected",
    EvaluationStatus.ERRORED: "ended by a fault of the platform, which costs no attempt",
    EvaluationStatus.CANCELLED: "cancelled",
}


def tell_ended(session: Session) -> int:
    """Tells teams of the submissions that have ended since; how many these were.

    Of a hidden phase an end is told once status shows it, on the same grid of moments, and not before.
    """
    return sum(
        _tell_of(session, challenge) for challenge in list_challenges(session) if challenge.current_version
    )


def _tell_of(session: Session, challenge: Challenge) -> int:
    own = Evaluation.submission_id == Submission.id, SHOWN
    active = select(Evaluation.id).where(*own, Evaluation.status.in_(ACTIVE)).exists()
    public = [name for name, phase in challenge.spec.phases.items() if not phase.hidden]
    held = Submission.phase.not_in(public), ~is_shown(session, Evaluation.finished_at)
    unseen = select(Evaluation.id).where(*own, *held).exists()
    rows = session.scalars(
        select(Submission)
        .where(Submission.challenge_id == challenge.id, Submission.told_at.is_(None), ~active, ~unseen)
        .order_by(Submission.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True, of=Submission, key_share=True)
    ).all()
    for submission in rows:
        _tell(session, submission, challenge)
        submission.told_at = func.now()
    return len(rows)


def _tell(session: Session, submission: Submission, challenge: Challenge) -> None:
    ended = submission.evaluations
    if not ended or all(evaluation.status is EvaluationStatus.CANCELLED for evaluation in ended):
        return  # whoever cancels it knows
    spec = challenge.spec
    phase = spec.phases[submission.phase].title if submission.phase in spec.phases else submission.phase
    lines = [
        f"{spec.tasks[one.task].title if one.task in spec.tasks else one.task}: {_WORDS[one.status]}"
        for one in ended
    ]
    tell(
        session,
        NoticeKind.SUBMISSION_ENDED,
        Audience.TEAM,
        title=f"Your submission to {phase}, {submission.track} track, has ended",
        text="\n".join(
            [
                *lines,
                "",
                f"My submissions shows what may be seen of it, and so does: proctor watch {submission.id}",
            ]
        ),
        challenge=challenge,
        team_id=submission.team_id,
        about={"submission": submission.id, "team": submission.team_id, "phase": submission.phase},
    )
