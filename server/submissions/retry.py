"""Evaluations that ended by the platform's fault, run again because an admin says so."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import CaseStatus, EvaluationStanding, EvaluationStatus
from server import events
from server.challenges.models import Challenge
from server.challenges.service import spec_of_phase
from server.database import after_commit
from server.errors import Conflict, NotFound
from server.evaluations.models import CaseRun, Evaluation, Trouble
from server.evaluations.runs import move_runs
from server.evaluations.service import lock_evaluation
from server.settings import Settings
from server.submissions.models import Submission
from server.submissions.quota import quota_of
from server.teams.models import Team
from server.wakeups import wake_run_workers, wake_score_workers


def retry(
    session: Session, evaluation_id: EvaluationId, *, actor: str, settings: Settings, why: str | None = None
) -> Evaluation:
    """Puts an ERRORED evaluation back: cases that are done keep their outputs, the others run; then it is scored.

    It holds an attempt again. Where its team has none left by now it holds and spends none: it is never refused, and
    takes nothing that the team could still use. What it met before is not held against it or its image any more.

    Raises:
        NotFound: there is no such evaluation.
        Conflict: it is not ERRORED.
    """
    team_id = session.scalar(select(Evaluation.team_id).where(Evaluation.id == evaluation_id))
    if team_id is None:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, f"There is no evaluation {evaluation_id}.")
    # As for a submission: the team's row lock makes counting and taking an attempt one step.
    session.execute(select(Team.id).where(Team.id == team_id).with_for_update(key_share=True))
    evaluation = lock_evaluation(session, evaluation_id)
    if evaluation.status != EvaluationStatus.ERRORED:
        raise Conflict(
            ErrorCode.NOT_ERRORED,
            f"Evaluation {evaluation_id} is {evaluation.status}; only one that ended as errored can be retried.",
        )
    if evaluation.standing is EvaluationStanding.IN_FORCE:  # what a re-evaluation made costs nobody anything
        evaluation.spends = _attempt_is_left(session, evaluation)
        session.get_one(Submission, evaluation.submission_id).told_at = None  # it has not ended after all
    waiting, total = _put_back(session, evaluation, actor=actor)
    evaluation.move_to(session, _status(waiting, total), actor=actor)  # its `why` would be the team's to read
    what = (
        f"retried: {waiting} of {total} cases run again" if waiting else "retried: only its scoring repeats"
    )
    events.record(session, "evaluation", evaluation.id, actor=actor, what=what, why=why)
    wake = wake_run_workers if waiting else wake_score_workers
    after_commit(session, lambda: wake(settings.redis_url))
    return evaluation


def _attempt_is_left(session: Session, evaluation: Evaluation) -> bool:
    challenge = session.get_one(Challenge, evaluation.challenge_id)
    quota = quota_of(
        session,
        spec_of_phase(challenge, evaluation.phase, version=evaluation.spec_version),
        team_id=evaluation.team_id,
        phase=evaluation.phase,
        task=evaluation.task,
        track=evaluation.track,
    )
    return quota.left is None or quota.left > 0


def _put_back(session: Session, evaluation: Evaluation, *, actor: str) -> tuple[int, int]:
    """Dropped cases wait again, and nothing that was met counts any more; how many wait, and how many there are."""
    total = session.scalar(select(func.count()).where(CaseRun.evaluation_id == evaluation.id)) or 0
    dropped = move_runs(
        session,
        evaluation,
        (CaseStatus.DROPPED,),
        CaseStatus.WAITING,
        actor=actor,
        why="The evaluation is retried.",
        faults=0,
        lease_until=None,
        not_before=None,
        output=None,
    )
    session.execute(update(Trouble).where(Trouble.image_id == evaluation.image_id).values(counts=False))
    evaluation.trouble = None
    evaluation.remaining = len(dropped)
    evaluation.scoring_faults = 0
    evaluation.scoring_lease_until = evaluation.scoring_not_before = None
    return len(dropped), total


def _status(waiting: int, total: int) -> EvaluationStatus:
    if not waiting:
        return EvaluationStatus.SCORING
    return EvaluationStatus.QUEUED if waiting == total else EvaluationStatus.RUNNING
