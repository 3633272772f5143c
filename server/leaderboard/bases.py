"""The base of a board: on which cases, how and with what its values were made. Values of two bases never mix."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import DateTime, Text, cast, func, literal, select, true
from sqlalchemy.orm import Session

from contract.ids import DatasetId, EvaluationId, SpecVersionId, TeamId
from contract.statuses import EvaluationStatus
from evaluator.bases import (
    Base,
    run_base,
    run_differences,
    scoring_base,
    scoring_differences,
    stale_metrics,
)
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge, SpecVersion
from server.database import plain_rows
from server.datasets.models import IN_FORCE, Case, Dataset
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.ticks import is_shown, shown_at
from server.leaderboard.supposed import AS_IT_IS, Supposed


@dataclass(frozen=True)
class InForce:
    """What counts in a phase now: the dataset of each task, how tasks run, and how boards are scored.

    until: only what had ended, and was shown, by then; None for all.
    """

    spec: Spec
    datasets: Mapping[str, DatasetId]
    runs: Mapping[str, Base]
    boards: Mapping[str, Base]
    until: datetime | None = None
    # Few bases scored many evaluations: what differs is found once for each.
    known: dict[tuple[str, int, int, str | None], list[str]] = field(default_factory=dict)


class Scored(NamedTuple):
    """A scored evaluation with what decides on its base, and its times. `how`: `scored_with` as text.

    A tuple, for a large phase has thousands.
    """

    id: EvaluationId
    team_id: TeamId
    task: str
    track: str
    dataset_id: DatasetId
    spec_version_id: SpecVersionId
    how: str | None
    created_at: datetime
    finished_at: datetime | None

    def scored_with(self, board: str) -> Base | None:
        """How a board was scored; None where nothing was kept of it."""
        return None if self.how is None else _read(self.how).get(board)


@lru_cache(maxsize=256)
def _read(how: str) -> Mapping[str, Base]:
    """Few bases scored many evaluations: each text is parsed once. Nobody changes what comes of it."""
    found: dict[str, Base] = json.loads(how)
    return found


@dataclass(frozen=True)
class Stale:
    """A metric whose code is another by now than that which scored some evaluations; None: which did is not known."""

    challenge: str
    metric: str | None
    evaluations: int


def in_force(
    session: Session,
    challenge: Challenge,
    phase: str,
    supposed: Supposed = AS_IT_IS,
    *,
    until: datetime | None = None,
) -> InForce:
    """The base of each board of a phase; `until`: what scored later does not count."""
    found = supposed.spec or challenge.spec
    datasets = session.execute(
        select(Dataset.task, Dataset.id).where(
            IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == phase
        )
    )
    return InForce(
        spec=found,
        datasets={row.task: row.id for row in datasets}
        | {task: dataset for (where, task), dataset in supposed.datasets.items() if where == phase},
        runs={task: run_base(found, task) for task in found.tasks},
        boards={board: scoring_base(found, board) for board in found.boards},
        until=until,
    )


def case_counts(session: Session, now: InForce) -> dict[str, int]:
    """How many cases the dataset in force has, by task."""
    rows = session.execute(
        select(Case.dataset_id, func.count().label("cases"))
        .where(Case.dataset_id.in_(now.datasets.values()))
        .group_by(Case.dataset_id)
    )
    counts = {row.dataset_id: row.cases for row in rows}
    return {task: counts.get(dataset, 0) for task, dataset in now.datasets.items()}


def digests_of(session: Session, now: InForce) -> dict[str, str]:
    """The digest of the dataset in force, by task."""
    query = select(Dataset.task, Dataset.digest).where(Dataset.id.in_(now.datasets.values()))
    return {row.task: row.digest for row in session.execute(query)}


def differences(evaluation: Scored, board: str, now: InForce) -> list[str]:
    """What keeps an evaluation from a board of its task, in words; nothing if it is of the base in force."""
    key = (board, evaluation.dataset_id.int, evaluation.spec_version_id.int, evaluation.how)
    if (found := now.known.get(key)) is None:
        found = now.known[key] = _differences(evaluation, board, now)
    return found


def _differences(evaluation: Scored, board: str, now: InForce) -> list[str]:
    dataset = [] if now.datasets.get(evaluation.task) == evaluation.dataset_id else ["dataset"]
    then = _RUNS[evaluation.spec_version_id][evaluation.task]
    run = run_differences(then, now.runs[evaluation.task])
    return [*dataset, *run, *scoring_differences(evaluation.scored_with(board), now.boards[board])]


_RUNS: dict[
    SpecVersionId, dict[str, Base]
] = {}  # a version is never changed: its content is parsed for this once


def scored(
    session: Session,
    challenge: Challenge,
    phase: str,
    *,
    shown: bool = False,
    supposed: Supposed = AS_IT_IS,
    until: datetime | None = None,
) -> Sequence[Scored]:
    """The scored evaluations of a phase that count, the oldest first.

    shown: of a hidden phase only those whose teams have seen by now, or by `until`, that they are scored.
    """
    moment = None if until is None else literal(until, DateTime(timezone=True))
    hidden = shown and challenge.spec.phases[phase].hidden
    seen = is_shown(session, Evaluation.finished_at, at=moment) if hidden else true()
    by_then = true() if moment is None else Evaluation.finished_at <= moment
    rows = plain_rows(
        session,
        select(
            Evaluation.id,
            Evaluation.team_id,
            Evaluation.task,
            Evaluation.track,
            Evaluation.dataset_id,
            Evaluation.spec_version_id,
            # Either null means that nothing was kept.
            func.nullif(cast(Evaluation.scored_with, Text), "null"),
            Evaluation.created_at,
            Evaluation.finished_at,
        )
        .where(
            Evaluation.challenge_id == challenge.id,
            Evaluation.phase == phase,
            Evaluation.status == EvaluationStatus.SCORED,
            supposed.counting,
            seen,
            by_then,
        )
        .order_by(Evaluation.created_at, Evaluation.id),
    )
    found = [Scored._make(row) for row in rows]
    _keep_runs(session, {entry.spec_version_id for entry in found} - _RUNS.keys())
    if supposed.merged:
        return [entry._replace(team_id=supposed.merged.get(entry.team_id, entry.team_id)) for entry in found]
    return found


def _keep_runs(session: Session, versions: Collection[SpecVersionId]) -> None:
    """How each task ran under versions of the file that are not known yet."""
    if versions:
        for version in session.scalars(select(SpecVersion).where(SpecVersion.id.in_(versions))):
            _RUNS[version.id] = {task: run_base(version.spec, task) for task in version.spec.tasks}


def next_shown(session: Session, challenge: Challenge, phase: str) -> datetime | None:
    """When the next of the scored evaluations that teams do not see yet is shown; None where there is none."""
    found = challenge.spec.phases.get(phase)
    if found is None or not found.hidden:
        return None
    query = select(Evaluation.created_at, Evaluation.finished_at).where(
        COUNTS,
        Evaluation.challenge_id == challenge.id,
        Evaluation.phase == phase,
        Evaluation.status == EvaluationStatus.SCORED,
        ~is_shown(session, Evaluation.finished_at),
    )
    ends = [shown_at(began, ended) for began, ended in session.execute(query) if ended is not None]
    return min(ends, default=None)


def hidden_by(session: Session, challenge: Challenge, spec: Spec) -> dict[str, dict[str, int]]:
    """How many scored evaluations would leave a board if `spec` became the present version, by phase and task."""
    lost: dict[str, dict[str, int]] = {}
    for phase in challenge.spec.phases:
        now, then = in_force(session, challenge, phase), in_force(session, challenge, phase, Supposed(spec))
        leaving = (entry for entry in scored(session, challenge, phase) if _leaves(entry, phase, now, then))
        counts = Counter(entry.task for entry in leaving)
        if counts:
            lost[phase] = {task: counts[task] for task in challenge.spec.tasks if counts[task]}
    return lost


def _leaves(evaluation: Scored, phase: str, now: InForce, then: InForce) -> bool:
    def stays(board: str) -> bool:
        there = board in then.spec.boards_of(evaluation.task) and phase in then.spec.phases
        return there and not differences(evaluation, board, then)

    shown = [
        board for board in now.spec.boards_of(evaluation.task) if not differences(evaluation, board, now)
    ]
    return not all(stays(board) for board in shown)


def stale(session: Session, only: Challenge | None = None) -> list[Stale]:
    """Which metrics have other code than what present boards' evaluations were scored with, by challenge or of one.

    So it is after an update of the platform or of a package of metrics, until it is taken back.
    """
    found = []
    challenges = session.scalars(select(Challenge).order_by(Challenge.slug)) if only is None else [only]
    for challenge in challenges:
        counts: Counter[str | None] = Counter()
        for phase in challenge.spec.phases:
            now = in_force(session, challenge, phase)
            for entry in scored(session, challenge, phase):
                if now.datasets.get(entry.task) == entry.dataset_id:
                    counts.update(set(_stale_metrics(entry, now)))
        found += [Stale(challenge.slug, metric, count) for metric, count in sorted(counts.items(), key=str)]
    return found


def _stale_metrics(evaluation: Scored, now: InForce) -> Iterator[str | None]:
    if evaluation.how is None:
        yield None
        return
    for board in now.spec.boards_of(evaluation.task):
        yield from stale_metrics(evaluation.scored_with(board), now.boards[board])
