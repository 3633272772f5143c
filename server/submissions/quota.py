"""Attempts. Nothing but what organizers grant is stored, so quota and evaluations cannot disagree.

An active evaluation holds an attempt in reserve. A SCORED one spends it while its dataset is in force: where the
organizers change the cases, what was scored before is given back, and counts again if they go back. Every other end
gives it back, and so does an organizer who takes the evaluation off the boards. One that an admin had retried when its
team had no attempt left holds and spends none. On hidden phases an end counts from when the team sees it (`ticks`), for
what is left would tell it before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId, TeamId
from contract.problems import ErrorCode
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge as Spec
from server.datasets.models import IN_FORCE, Dataset
from server.errors import QuotaSpent
from server.evaluations import ticks
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE
from server.submissions.models import AttemptGrant
from server.submissions.rejections import Rejections, rejections

SPENT = and_(COUNTS, Evaluation.status == EvaluationStatus.SCORED, Evaluation.spends, IN_FORCE)
HELD = and_(COUNTS, Evaluation.status.in_(ACTIVE), Evaluation.spends)
"""The only expressions of which evaluations, joined with their datasets, spend an attempt or hold one in reserve."""


class TeamQuota(NamedTuple):
    """What is left to a team on one task, track and phase."""

    attempts: "Quota"
    rejections: Rejections


@dataclass(frozen=True)
class Quota:
    """Valid attempts on one task, track and phase; `valid`: with those that the `grants` give or take."""

    task: str
    track: str
    phase: str
    valid: int | None
    spent: int
    reserved: int
    grants: Sequence[AttemptGrant] = ()

    @property
    def left(self) -> int | None:
        """Attempts that may still be submitted; None without limit."""
        return None if self.valid is None else max(0, self.valid - self.spent - self.reserved)


_Counts = Mapping[tuple[str, str, str], tuple[int, int]]
"""Attempts that are spent and held, by phase, track and task."""


def _counts(session: Session, spec: Spec, team_id: TeamId, *phases: str) -> _Counts:
    return _counts_by(session, spec, Evaluation.team_id == team_id, *phases).get(team_id, {})


def _counts_by(
    session: Session, spec: Spec, whose: ColumnElement[bool], *phases: str
) -> Mapping[TeamId, _Counts]:
    unseen = ticks.unseen_end(session, spec)
    rows = session.execute(
        select(
            Evaluation.team_id,
            Evaluation.phase,
            Evaluation.track,
            Evaluation.task,
            func.count().filter(SPENT, ~unseen),
            func.count().filter(or_(HELD, and_(unseen, Evaluation.spends))),
        )
        .join(Dataset, Dataset.id == Evaluation.dataset_id)
        .where(COUNTS, whose, Evaluation.phase.in_(phases))
        .group_by(Evaluation.team_id, Evaluation.phase, Evaluation.track, Evaluation.task)
    )
    found: dict[TeamId, dict[tuple[str, str, str], tuple[int, int]]] = {}
    for team, phase, track, task, spent, held in rows:
        found.setdefault(team, {})[phase, track, task] = (spent, held)
    return found


def grants_of(session: Session, team_id: TeamId) -> Sequence[AttemptGrant]:
    """What organizers granted a team, the oldest first."""
    query = select(AttemptGrant).where(AttemptGrant.team_id == team_id)
    return session.scalars(query.order_by(AttemptGrant.id)).all()


def _quota(
    counts: _Counts, grants: Sequence[AttemptGrant], spec: Spec, *, phase: str, track: str, task: str
) -> Quota:
    """The quota on one task and track of a phase, counted as the phase's `per` says."""
    attempts = spec.phases[phase].attempts

    def shares(where: str, on: str, what: str) -> bool:
        return (
            where == phase
            and (what == task or "task" not in attempts.per)
            and (on == track or "track" not in attempts.per)
        )

    same = [both for key, both in counts.items() if shares(*key)]
    granted = [grant for grant in grants if shares(grant.phase, grant.track, grant.task)]
    valid = attempts.valid
    if valid is not None:
        valid = max(0, valid + sum(grant.valid for grant in granted))
    spent, held = (sum(column) for column in zip(*same, strict=True)) if same else (0, 0)
    return Quota(task, track, phase, valid, spent, held, granted)


def quota_of(session: Session, spec: Spec, *, team_id: TeamId, phase: str, task: str, track: str) -> Quota:
    """The quota of one team on one task and track of a phase."""
    counts, grants = _counts(session, spec, team_id, phase), grants_of(session, team_id)
    return _quota(counts, grants, spec, phase=phase, track=track, task=task)


def quotas_of_teams(
    session: Session, spec: Spec, challenge_id: ChallengeId, *phases: str
) -> Mapping[str, list[Quota]]:
    """By phase, one quota for each team that has submitted there and each number of attempts that it used of.

    Tasks or tracks that share a number come once, under the first one that the team used.
    """
    counts = _counts_by(session, spec, Evaluation.challenge_id == challenge_id, *phases)
    granted: dict[TeamId, list[AttemptGrant]] = {}
    for grant in session.scalars(select(AttemptGrant).where(AttemptGrant.team_id.in_(counts))):
        granted.setdefault(grant.team_id, []).append(grant)
    found: dict[str, list[Quota]] = {phase: [] for phase in phases}
    for team, own in counts.items():
        seen = set()
        for phase, track, task in own:
            per = spec.phases[phase].attempts.per
            key = phase, track if "track" in per else None, task if "task" in per else None
            if key in seen:
                continue
            seen.add(key)
            quota = _quota(own, granted.get(team, []), spec, phase=phase, track=track, task=task)
            found[phase].append(quota)
    return found


def quotas(session: Session, spec: Spec, *, team_id: TeamId) -> list[TeamQuota]:
    """Every quota of a team, by phase, track and task."""
    counts, failed = _counts(session, spec, team_id, *spec.phases), rejections(session, spec, team_id=team_id)
    grants = grants_of(session, team_id)
    return [
        TeamQuota(_quota(counts, grants, spec, phase=phase, track=track, task=task), failed[phase, task])
        for phase in spec.phases
        for track in spec.tracks
        for task in spec.tasks
    ]


def require_attempt(
    session: Session, spec: Spec, *, team_id: TeamId, phase: str, task: str, track: str, taken: int = 0
) -> None:
    """Raises QuotaSpent unless an attempt is left; the caller holds the team's row lock.

    `taken` counts the tasks of this submission that come before this one: where tasks share their attempts, each
    of them takes one.
    """
    quota = quota_of(session, spec, team_id=team_id, phase=phase, task=task, track=track)
    shared = 0 if "task" in spec.phases[phase].attempts.per else taken
    if quota.left is not None and quota.left <= shared:
        detail = (
            f"All {quota.valid} valid attempts on {task}, track {track}, phase {phase} are taken: "
            f"{quota.spent} scored, {quota.reserved} under way. One under way that fails is given back."
        )
        raise QuotaSpent(ErrorCode.QUOTA_SPENT, detail, task=task, track=track, phase=phase)
