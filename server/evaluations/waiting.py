"""What waits in the queue, as admins see it, and what they put first or last."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import events
from server.challenges.models import Challenge
from server.errors import Conflict, NotFound
from server.evaluations.models import Evaluation
from server.evaluations.status import EvaluationStatus
from server.teams.models import Team

LEAST_PRIORITY, MOST_PRIORITY = -1000, 1000
_WAITS = (EvaluationStatus.QUEUED.value, EvaluationStatus.RUNNING.value)


@dataclass(frozen=True)
class Which:
    """Evaluations that have cases to run; what is left out asks for nothing."""

    challenge: str | None = None
    phase: str | None = None
    track: str | None = None
    task: str | None = None
    team: str | None = None
    ids: Collection[UUID] = ()


@dataclass(frozen=True)
class Waiting:
    """An evaluation with cases to run, and the names that go with it."""

    evaluation: Evaluation
    challenge: str
    team: str


def waiting(session: Session, which: Which) -> list[Waiting]:
    """The evaluations that are meant and have not all their verdicts: higher priority first, then the older one."""
    named = {
        Challenge.slug: which.challenge,
        Evaluation.phase: which.phase,
        Evaluation.track: which.track,
        Evaluation.task: which.task,
        Team.name: which.team,
    }
    query = (
        select(Evaluation, Challenge.slug, Team.name)
        .join(Challenge, Challenge.id == Evaluation.challenge_id)
        .join(Team, Team.id == Evaluation.team_id)
        .where(
            Evaluation.status.in_(_WAITS),
            *(column == name for column, name in named.items() if name is not None),
        )
        .order_by(Evaluation.priority.desc(), Evaluation.created_at, Evaluation.id)
    )
    if which.ids:
        query = query.where(Evaluation.id.in_(which.ids))
    return [Waiting(evaluation, slug, team) for evaluation, slug, team in session.execute(query)]


def prioritize(session: Session, evaluation_ids: Sequence[UUID], priority: int, *, actor: str) -> int:
    """Gives evaluations a place before (above 0) or behind (below) all others; returns how many changed.

    Cases that run go on.

    Raises:
        NotFound: one of them does not exist.
        Conflict: one of them has no cases to run any more; nothing is changed then.
    """
    rows = session.execute(
        select(Evaluation.id, Evaluation.priority, Evaluation.status)
        .where(Evaluation.id.in_(evaluation_ids))
        .order_by(Evaluation.id)
        .with_for_update()
    ).all()
    if missing := set(evaluation_ids) - {row.id for row in rows}:
        raise NotFound("no_such_evaluation", f"There is no evaluation {min(missing)}.")
    if ended := [row for row in rows if row.status not in _WAITS]:
        raise Conflict(
            "nothing_to_run", f"Evaluation {ended[0].id} has no cases to run: it is {ended[0].status}."
        )
    changed = [(row.id, row.priority) for row in rows if row.priority != priority]
    session.execute(
        update(Evaluation).where(Evaluation.id.in_([found for found, _ in changed])).values(priority=priority)
    )
    for found, before in changed:
        events.record(session, "evaluation", found, actor=actor, what=f"priority {before} → {priority}")
    return len(changed)
