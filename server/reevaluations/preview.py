"""What applying a re-evaluation would do beside boards: verdicts then and now, attempts, repetitions that differ."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import DatasetId, EvaluationId, TeamId
from contract.statuses import CaseStatus, EvaluationStatus, ReevaluationState
from server.challenges.models import Challenge
from server.datasets.models import IN_FORCE, Case, Dataset
from server.evaluations.models import COUNTS, CaseRun, Evaluation
from server.evaluations.result_models import Score
from server.plans.service import Planned, plan
from server.reevaluations.coverage import cover
from server.reevaluations.models import UNDER_WAY, Reevaluation
from server.reevaluations.pairs import Pair
from server.settings import Settings
from server.words import counted

Group = tuple[TeamId, str, str, str]
"""A team, and the phase, track and task."""


def verdicts(session: Session, found: Sequence[Pair]) -> Counter[tuple[str | None, str | None]]:
    """How many cases had one verdict and have another, over the first repetitions; None: it had or has none."""
    first = [pair for pair in found if pair.repetition == 1]
    names = _verdicts(session, [evaluation for pair in first for evaluation in (pair.old, pair.new)])
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for pair in first:
        old, new = names.get(pair.old, {}), names.get(pair.new, {})
        counts.update((old.get(name), new.get(name)) for name in old.keys() | new.keys())
    return counts


def _verdicts(
    session: Session, evaluations: Sequence[EvaluationId]
) -> Mapping[EvaluationId, Mapping[str, str | None]]:
    rows = session.execute(
        select(CaseRun.evaluation_id, Case.name, CaseRun.verdict)
        .join(Case, Case.id == CaseRun.case_id)
        .where(CaseRun.evaluation_id.in_(evaluations))
    )
    found: dict[EvaluationId, dict[str, str | None]] = defaultdict(dict)
    for evaluation, name, verdict in rows:
        found[evaluation][name] = verdict
    return found


def attempts(
    session: Session, challenge: Challenge, reevaluation: Reevaluation, found: Sequence[Pair]
) -> Mapping[Group, tuple[int, int]]:
    """Attempts spent now and then, where they differ: the ledger is what counts, so it is counted, as `quota` does."""
    limited = {name for name, phase in challenge.spec.phases.items() if phase.attempts.valid is not None}
    now = set(session.scalars(select(Dataset.id).where(IN_FORCE, Dataset.challenge_id == challenge.id)))
    then = _in_force_then(session, reevaluation, now)
    comes = {pair.old: pair for pair in found if pair.comes}
    counts: dict[Group, list[int]] = defaultdict(lambda: [0, 0])
    group_of: tuple[Any, ...] = (Evaluation.team_id, Evaluation.phase, Evaluation.track, Evaluation.task)
    rows = session.execute(
        select(Evaluation.id, Evaluation.status, Evaluation.dataset_id, *group_of).where(
            COUNTS, Evaluation.challenge_id == challenge.id, Evaluation.spends, Evaluation.phase.in_(limited)
        )
    )
    for evaluation, status, dataset, *where in rows:
        group: Group = (where[0], where[1], where[2], where[3])
        pair = comes.get(evaluation)
        later = (status, dataset) if pair is None else (pair.new_status, pair.new_dataset)
        both = counts[group]
        both[0] += status == EvaluationStatus.SCORED and dataset in now
        both[1] += later[0] == EvaluationStatus.SCORED and later[1] in then
    return {group: (spent, would) for group, (spent, would) in counts.items() if spent != would}


def _in_force_then(session: Session, reevaluation: Reevaluation, now: set[DatasetId]) -> set[DatasetId]:
    """The cases that would be in force."""
    coming = [session.get_one(Dataset, dataset) for dataset in reevaluation.datasets]
    places = {(dataset.phase, dataset.task) for dataset in coming}
    rows = session.execute(select(Dataset.id, Dataset.phase, Dataset.task).where(Dataset.id.in_(now)))
    stay = {row.id for row in rows if (row.phase, row.task) not in places}
    return stay | {dataset.id for dataset in coming}


def late(
    session: Session, challenge: Challenge, reevaluation: Reevaluation, settings: Settings
) -> list[EvaluationId]:
    """The evaluations of its scope that have ended and are not among its own: they would be missing."""
    if reevaluation.state not in UNDER_WAY:
        return []
    coverage = cover(session, challenge, reevaluation, settings)
    return [material.evaluation.id for material in coverage.included]


@dataclass
class CaseRepeated:
    """What the repetitions of one case came to."""

    case: str
    outputs: set[str | None] = field(default_factory=set)
    verdicts: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether the image answered the same inputs in two ways."""
        return len(self.outputs) > 1 or len(self.verdicts) > 1


@dataclass(frozen=True)
class Repeated:
    """The repetitions of one evaluation: its cases, and by board and metric the least and the largest value."""

    pair: Pair
    cases: Sequence[CaseRepeated]
    values: Mapping[tuple[str, str], tuple[float, float]]


def repeated(session: Session, found: Sequence[Pair]) -> Iterator[Repeated]:
    """What was repeated, compared: only cases that ran through in every repetition."""
    groups: dict[EvaluationId, list[Pair]] = defaultdict(list)
    for pair in found:
        groups[pair.old].append(pair)
    several = {old: group for old, group in groups.items() if len(group) > 1}
    cases = _cases(session, several)
    values = _values(session, several)
    for old, group in several.items():
        yield Repeated(group[0], list(cases[old].values()), values[old])


def _of_pairs(groups: Mapping[EvaluationId, Sequence[Pair]]) -> dict[EvaluationId, EvaluationId]:
    """The evaluation beside which each was made."""
    return {pair.new: old for old, group in groups.items() for pair in group}


def _cases(
    session: Session, groups: Mapping[EvaluationId, Sequence[Pair]]
) -> Mapping[EvaluationId, Mapping[object, CaseRepeated]]:
    own = _of_pairs(groups)
    found: dict[EvaluationId, dict[object, CaseRepeated]] = defaultdict(dict)
    rows = session.execute(
        select(
            CaseRun.evaluation_id,
            CaseRun.case_id,
            CaseRun.pseudonym,
            CaseRun.verdict,
            CaseRun.output,
            CaseRun.seconds,
        )
        .join(Evaluation, Evaluation.id == CaseRun.evaluation_id)
        .where(CaseRun.evaluation_id.in_(own), CaseRun.status == CaseStatus.DONE)
        .order_by(Evaluation.repetition, CaseRun.position)
    )
    for evaluation, case, pseudonym, verdict, output, seconds in rows:
        repetitions = found[own[evaluation]].setdefault(case, CaseRepeated(pseudonym))
        repetitions.outputs.add(output)
        repetitions.verdicts.add(verdict or "")
        if seconds is not None:
            repetitions.seconds.append(seconds)
    return found


def _values(
    session: Session, groups: Mapping[EvaluationId, Sequence[Pair]]
) -> Mapping[EvaluationId, Mapping[tuple[str, str], tuple[float, float]]]:
    own = _of_pairs(groups)
    found: dict[EvaluationId, dict[tuple[str, str], tuple[float, float]]] = defaultdict(dict)
    rows = session.execute(
        select(Score.evaluation_id, Score.board, Score.metric, Score.value)
        .where(Score.evaluation_id.in_(own))
        .order_by(Score.board, Score.metric)
    )
    for evaluation, board, metric, value in rows:
        if value is None:
            continue
        low, high = found[own[evaluation]].get((board, metric), (value, value))
        found[own[evaluation]][board, metric] = min(low, value), max(high, value)
    return found


def file_plan(session: Session, reevaluation: Reevaluation, settings: Settings) -> Planned | None:
    """What the challenge file that comes with it would change beside boards; None where none comes any more."""
    if reevaluation.target_version is None or reevaluation.state in OVER:
        return None
    return plan(session, reevaluation.target_version.spec, settings=settings, boards=False)


def sentences(
    reevaluation: Reevaluation,
    found: Sequence[Pair],
    ledger: Mapping[Group, tuple[int, int]],
    planned: Planned | None,
) -> list[str]:
    """What there is to tell: how many change places, what that means for attempts, and what of the file is asked."""
    coming = [pair for pair in found if pair.comes]
    teams = counted(len({pair.team_id for pair in coming}), "team", "teams")
    given = sum(max(0, spent - would) for spent, would in ledger.values())
    taken = sum(max(0, would - spent) for spent, would in ledger.values())
    stay = len({pair.old for pair in found} - {pair.old for pair in coming})
    return [
        f"Evaluations that change: {len(coming):,}, of {teams}.",
        *_if(stay, "Evaluations that stay, for what was made beside them did not end well"),
        *_if(len(reevaluation.target_datasets), "Versions of the cases that come into force"),
        *(["Its challenge file becomes the present version."] if reevaluation.target_version_id else []),
        *(f"By its challenge file {question}" for question in (planned.questions if planned else ())),
        *_if(given, "Attempts that are given back"),
        *_if(taken, "Attempts that are spent and were not"),
    ]


def _if(count: int, what: str) -> list[str]:
    return [f"{what}: {count:,}."] if count else []


OVER = (ReevaluationState.APPLIED, ReevaluationState.CANCELLED, ReevaluationState.REVERTED)
"""States in which there is nothing to make any more."""
