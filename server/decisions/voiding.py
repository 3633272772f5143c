"""Taking an entry off the boards: its attempt is given back, what it was and its receipt stay."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStanding, EvaluationStatus
from server import events
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.challenges.service import spec_of_phase
from server.datasets.current import lock
from server.decisions.acts import Act, unchanged
from server.errors import Conflict, NotFound
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.service import lock_evaluation
from server.leaderboard.supposed import Supposed
from server.submissions.quota import quota_of
from server.submissions.views import VOIDED
from server.teams.models import Team


def planned(
    session: Session,
    observer: Observer,
    challenge: Challenge,
    evaluation_id: EvaluationId,
    *,
    void: bool,
    why: str,
) -> Act:
    """What voiding an evaluation changes, or taking that back.

    Raises:
        NotFound: no such evaluation in this challenge.
        Conflict: it is not scored, is (or is not) void already, or another one stands in its place.
    """
    evaluation = _of_challenge(session, observer, evaluation_id)
    _require(session, evaluation, void=void)
    team = session.get_one(Team, evaluation.team_id)
    named = f"The evaluation of {team.name} on {evaluation.task}, track {evaluation.track}, phase {evaluation.phase}"
    said = f"{named} {'leaves' if void else 'comes back to'} the boards; its receipt stays."
    attempt = _of_attempt(session, challenge, evaluation, void=void)
    gone = frozenset({evaluation.id})
    supposed = Supposed(without=gone) if void else Supposed(back=gone)
    return Act(
        supposed,
        [said, attempt] if attempt else [said],
        [VOIDED.format(why=why)] if void else [],
        f"{evaluation.task}: an evaluation {'was taken off' if void else 'is again on'} the leaderboard",
    )


def set_void(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    evaluation_id: EvaluationId,
    *,
    void: bool,
    why: str,
    seen: str | None = None,
) -> Evaluation:
    """Does what `planned` says, unless the boards are not those that were `seen`.

    Raises:
        NotFound, Conflict: as `planned` does; the boards have moved.
    """
    _of_challenge(session, organizer, evaluation_id)
    lock(session, challenge.id)
    evaluation = lock_evaluation(session, evaluation_id)
    act = planned(session, organizer, challenge, evaluation_id, void=void, why=why)
    act.require_seen(session, challenge, seen)
    act.amend(session, challenge, by=organizer.actor)
    evaluation.standing = EvaluationStanding.VOID if void else EvaluationStanding.IN_FORCE
    evaluation.voided = why if void else None
    what = "voided" if void else "in force again"
    events.record(session, "evaluation", evaluation.id, actor=organizer.actor, what=what, why=why)
    about = {"submission": evaluation.submission_id, "evaluation": evaluation.id}
    act.tell_team(session, challenge, evaluation.team_id, why=why, about=about)
    return evaluation


def _of_challenge(session: Session, observer: Observer, evaluation_id: EvaluationId) -> Evaluation:
    evaluation = session.get(Evaluation, evaluation_id)
    if evaluation is None or evaluation.challenge_id != observer.challenge_id:
        raise NotFound(ErrorCode.UNKNOWN_EVALUATION, "This challenge has no such evaluation.")
    return evaluation


def _require(session: Session, evaluation: Evaluation, *, void: bool) -> None:
    if evaluation.status != EvaluationStatus.SCORED:
        raise Conflict(
            ErrorCode.NOT_SCORED,
            f"It is {evaluation.status}, so no board has it. Only a scored evaluation is voided; one that goes on "
            "can be cancelled, and one that failed can be excused.",
        )
    expected = EvaluationStanding.IN_FORCE if void else EvaluationStanding.VOID
    if evaluation.standing == expected:
        return
    if evaluation.standing in (EvaluationStanding.IN_FORCE, EvaluationStanding.VOID):
        raise unchanged(f"It is {'void' if void else 'in force'} already.")
    raise Conflict(ErrorCode.NOT_IN_FORCE, _elsewhere(session, evaluation))


def _elsewhere(session: Session, evaluation: Evaluation) -> str:
    """Why no board has one that a re-evaluation made, or put another in the place of, and which one counts."""
    query = select(Evaluation.id).where(
        COUNTS, Evaluation.submission_id == evaluation.submission_id, Evaluation.task == evaluation.task
    )
    counting = session.scalar(query.limit(1))
    instead = "" if counting is None else f": {counting} counts, and can be decided on"
    if evaluation.standing is EvaluationStanding.REPLACED:
        return f"A re-evaluation put another evaluation in its place, so no board has it{instead}."
    return f"A re-evaluation that is not applied made it, so no board has it{instead}."


def _of_attempt(session: Session, challenge: Challenge, evaluation: Evaluation, *, void: bool) -> str | None:
    quota = quota_of(
        session,
        spec_of_phase(challenge, evaluation.phase, version=evaluation.spec_version),
        team_id=evaluation.team_id,
        phase=evaluation.phase,
        task=evaluation.task,
        track=evaluation.track,
    )
    if quota.valid is None or not evaluation.spends:
        return None
    spent = quota.spent - 1 if void else quota.spent + 1
    return (
        f"Its attempt is {'given back' if void else 'spent again'}: {spent} of {quota.valid} are spent then."
    )
