"""How many evaluations of a team may still fail on hidden cases: what a failure tells of them has to stay bounded.

Of the last seven days those count that were rejected, or cancelled by their team after they had begun (a team that
looks at the progress and cancels has learnt something, too), by the moment at which they were submitted: that tells
nothing of how long they ran. What is under way counts until it has ended well. Nothing counts that ran on cases which
the organizers have replaced, and nothing that an admin excused.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from contract.ids import TeamId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge as Spec
from server.datasets.models import IN_FORCE, Dataset
from server.errors import QuotaSpent
from server.evaluations import ticks
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE

WEEK = timedelta(days=7)

_BEGUN = Evaluation.started_at.is_not(None)
FAILED = and_(
    Evaluation.spends,
    IN_FORCE,
    or_(
        Evaluation.status == EvaluationStatus.REJECTED,
        and_(Evaluation.status == EvaluationStatus.CANCELLED, _BEGUN),
    ),
)
"""The only expression of which evaluations, joined with their datasets, count as failed."""


@dataclass(frozen=True)
class Rejections:
    """What counts of a team's evaluations of one task in one phase.

    most: of the challenge file, None without limit. failed: when those that failed were submitted, the oldest first.
    """

    most: int | None
    failed: tuple[datetime, ...] = ()
    under_way: int = 0

    @property
    def left(self) -> int | None:
        """Evaluations that may still be submitted; None without limit."""
        return None if self.most is None else max(0, self.most - len(self.failed) - self.under_way)

    @property
    def next_at(self) -> datetime | None:
        """When one more may be submitted at the latest, if none is left and the end of a week is what it waits for."""
        if self.left != 0 or self.most is None:
            return None
        over = len(self.failed) + self.under_way - self.most
        return self.failed[over] + WEEK if over < len(self.failed) else None


def rejections(session: Session, spec: Spec, *, team_id: TeamId) -> Mapping[tuple[str, str], Rejections]:
    """What counts of a team, by phase and task: one for each that the file has."""
    return rejections_by(session, spec, [team_id])[team_id]


def rejections_by(
    session: Session, spec: Spec, teams: Collection[TeamId]
) -> Mapping[TeamId, Mapping[tuple[str, str], Rejections]]:
    """The same for each of these teams."""
    failed: dict[tuple[TeamId, str, str], list[datetime]] = defaultdict(list)
    under_way: dict[tuple[TeamId, str, str], int] = defaultdict(int)
    active = Evaluation.status.in_(ACTIVE)
    unseen = ticks.unseen_end(session, spec)
    rows = session.execute(
        select(
            Evaluation.team_id, Evaluation.phase, Evaluation.task, Evaluation.created_at, or_(active, unseen)
        )
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(
            COUNTS,
            Evaluation.team_id.in_(teams),
            or_(
                and_(FAILED, Evaluation.created_at > func.now() - WEEK),
                and_(or_(active, unseen), Evaluation.spends),
            ),
        )
        .order_by(Evaluation.created_at)
    )
    for team, phase, task, created_at, goes_on in rows:
        if goes_on:
            under_way[team, phase, task] += 1
        else:
            failed[team, phase, task].append(created_at)
    return {
        team: {
            (phase, task): Rejections(
                found.attempts.rejected_per_week,
                tuple(failed[team, phase, task]),
                under_way[team, phase, task],
            )
            for phase, found in spec.phases.items()
            for task in spec.tasks
        }
        for team in teams
    }


def require_none_too_many(session: Session, spec: Spec, *, team_id: TeamId, phase: str, task: str) -> None:
    """Raises QuotaSpent if too many evaluations failed this week; the caller holds the team's row lock."""
    found = rejections(session, spec, team_id=team_id)[phase, task]
    if found.left != 0:
        return
    next_at = found.next_at
    ways = [f"from {next_at.isoformat(timespec='seconds')} on"] if next_at else []
    ways += ["as soon as one that is under way is scored"] if found.under_way else []
    detail = (
        f"Of the evaluations on {task}, phase {phase}, {found.most} may fail in seven days: {len(found.failed)} were "
        f"rejected, or cancelled after they began, and {found.under_way} are under way. One more can be submitted "
        f"{', or '.join(ways)}. 'proctor try' and phases whose cases are public have no such limit."
    )
    when = {"next_at": next_at.isoformat()} if next_at else {}
    raise QuotaSpent(ErrorCode.TOO_MANY_REJECTED, detail, task=task, phase=phase, **when)
