"""A team's attempts, move by move: taken, spent, given back and granted, with the balance after each.

Made of evaluations, grants and events whenever it is asked for, so it is no second truth: what it comes to is what
`quota` counts. What an evaluation did in between is told as far as it is on record. Like the quota it tells an end on
hidden cases when the team sees it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, joinedload

from contract.ids import EvaluationId, SubmissionId, TeamId
from contract.statuses import EvaluationStanding, EvaluationStatus
from evaluator.spec import Challenge as Spec
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations import ticks
from server.evaluations.models import COUNTS, SHOWN, Evaluation
from server.events import Event
from server.submissions.models import AttemptGrant
from server.submissions.quota import HELD, SPENT, grants_of

ENDS = {
    EvaluationStatus.SCORED: "scored",
    EvaluationStatus.REJECTED: "rejected, which spends none",
    EvaluationStatus.CANCELLED: "cancelled, which spends none",
    EvaluationStatus.ERRORED: "ended by the platform's fault, which spends none",
}
"""What each end says of an attempt."""
OLD_CASES = "scored on cases that are no more in force"
_OF_ERRORS = or_(Event.old == EvaluationStatus.ERRORED, Event.new == EvaluationStatus.ERRORED)


@dataclass(frozen=True)
class Move:
    """One move of an attempt. `at` is None where no record says when; `change` is of the attempts that are left."""

    phase: str
    track: str
    task: str
    at: datetime | None
    kind: str
    change: int
    why: str
    evaluation: EvaluationId | None = None
    submission: SubmissionId | None = None
    balance: int | None = None


def ledger(session: Session, spec: Spec, *, team_id: TeamId) -> list[Move]:
    """Every move of a team in the phases of `spec`, the oldest first; `balance` is None without a limit."""
    moves = [*_granted(grants_of(session, team_id)), *_of_evaluations(session, spec, team_id)]
    moves = [(at, move) for at, move in moves if move.phase in spec.phases]
    moves.sort(
        key=lambda timed: timed[0]
    )  # stable: what has no time of its own stays behind what it followed
    left: dict[tuple[str, ...], int] = defaultdict(int)
    found = []
    for _, move in moves:
        attempts = spec.phases[move.phase].attempts
        shared = (
            move.phase,
            *(getattr(move, part) if part in attempts.per else "" for part in ("track", "task")),
        )
        left[shared] += move.change
        balance = None if attempts.valid is None else attempts.valid + left[shared]
        found.append(replace(move, balance=balance))
    return found


_Timed = tuple[datetime, Move]


def _granted(grants: Sequence[AttemptGrant]) -> Iterator[_Timed]:
    for grant in grants:
        where, why = (grant.phase, grant.track, grant.task), f"by the organizers: {grant.why}"
        yield grant.created_at, Move(*where, grant.created_at, "granted", grant.valid, why)


def _of_evaluations(session: Session, spec: Spec, team_id: TeamId) -> Iterator[_Timed]:
    unseen = ticks.unseen_end(session, spec)
    takes = or_(SPENT, HELD, and_(COUNTS, unseen, Evaluation.spends))
    rows = session.execute(
        select(Evaluation, IN_FORCE, unseen, takes)
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(SHOWN, Evaluation.team_id == team_id)
        .options(joinedload(Evaluation.spec_version))
        .order_by(Evaluation.id)
    ).all()
    told = _events(session, [row[0].id for row in rows])
    for evaluation, in_force, is_unseen, takes_one in rows:
        moves = _Moves(evaluation, told.get(evaluation.id, ()))
        yield from moves.all(ended=not is_unseen, takes=takes_one, in_force=in_force)


def _events(session: Session, evaluations: Sequence[EvaluationId]) -> Mapping[UUID, Sequence[Event]]:
    """Of each evaluation the events of faults, retries and what organizers took off the boards, the oldest first."""
    found: dict[UUID, list[Event]] = defaultdict(list)
    asked = Event.subject == "evaluation", Event.subject_id.in_(evaluations)
    for event in session.scalars(
        select(Event).where(*asked, or_(_OF_ERRORS, Event.what == "voided")).order_by(Event.id)
    ):
        found[event.subject_id].append(event)
    return found


class _Moves:
    """The moves of one evaluation's attempt, in order."""

    def __init__(self, evaluation: Evaluation, events: Sequence[Event]) -> None:
        self._of = evaluation
        self._events = events
        self._last = evaluation.created_at
        self._taken = 0

    def all(self, *, ended: bool, takes: bool, in_force: bool) -> Iterator[_Timed]:
        """ended: whether its team sees its end, if it has one. takes: whether it holds or has spent an attempt now."""
        evaluation = self._of
        yield self._move(evaluation.created_at, "reserved", -1, "submitted")
        if evaluation.reevaluation_id is None:  # what another one met, which nobody saw, is not its team's
            yield from self._run_again()
        status = evaluation.status
        if ended and evaluation.finished_at is not None and self._taken:
            spent = status is EvaluationStatus.SCORED
            kind, change = ("spent", 0) if spent else ("given back", 1)
            yield self._move(self._shown(evaluation.finished_at), kind, change, ENDS[status])
        if self._taken != takes:
            yield self._move(self._voided_at(), *_settled(evaluation, takes=takes, in_force=in_force))

    def _run_again(self) -> Iterator[_Timed]:
        failed = self._of.created_at
        for event in self._events:
            if event.new == EvaluationStatus.ERRORED:
                failed = self._shown(event.created_at)
            elif event.old == EvaluationStatus.ERRORED:
                at = min(failed, event.created_at)
                yield self._move(at, "given back", self._taken, ENDS[EvaluationStatus.ERRORED])
                again = -1 if self._of.spends else 0
                yield self._move(event.created_at, "reserved", again, "run again by the organizers")

    def _move(self, at: datetime | None, kind: str, change: int, why: str) -> _Timed:
        evaluation = self._of
        self._last = max(self._last, at or self._last)
        self._taken -= change
        where = evaluation.phase, evaluation.track, evaluation.task
        return self._last, Move(*where, at, kind, change, why, evaluation.id, evaluation.submission_id)

    def _shown(self, at: datetime) -> datetime:
        return ticks.shown_at(self._of.created_at, at) if self._of.is_hidden else at

    def _voided_at(self) -> datetime | None:
        voided = [event.created_at for event in self._events if event.what == "voided"]
        return voided[-1] if voided and self._of.standing is EvaluationStanding.VOID else None


def _settled(evaluation: Evaluation, *, takes: bool, in_force: bool) -> tuple[str, int, str]:
    """What has changed for an attempt since its evaluation ended: kind, change and why."""
    if takes:
        return "reserved", -1, "counts again"
    if evaluation.standing is EvaluationStanding.VOID:
        return "given back", 1, f"taken off the boards by the organizers: {evaluation.voided}"
    if not in_force:
        return "given back", 1, OLD_CASES
    return "given back", 1, "excused, or run again at no cost, by the organizers"
