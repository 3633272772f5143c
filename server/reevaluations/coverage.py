"""What a re-evaluation would make, or has still to make: of each evaluation that its scope holds, or why not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.ids import DatasetId, EvaluationId, ReevaluationId, SpecVersionId
from contract.reevaluations import Exclusion, ReevaluationMode
from contract.statuses import EvaluationStatus
from evaluator.bases import Base, run_base, run_differences
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge, SpecVersion
from server.datasets.models import IN_FORCE, Dataset
from server.evaluations.models import Evaluation
from server.evaluations.status import ACTIVE
from server.reevaluations.material import Cases, Material, match, outcomes
from server.reevaluations.models import UNDER_WAY, Reevaluation
from server.reevaluations.scope import held
from server.settings import Settings

Place = tuple[str, str]
"""A phase and a task."""


@dataclass(frozen=True)
class Target:
    """Under what the new evaluations are scored: a version of the file, and the cases of each phase and task."""

    version: SpecVersion
    datasets: Mapping[Place, DatasetId]

    @property
    def spec(self) -> Spec:
        """The content of the file."""
        return self.version.spec


@dataclass
class Coverage:
    """What is made, and by reason what is not; `others`: for those in another re-evaluation which one it is."""

    target: Target
    included: list[Material] = field(default_factory=list)
    excluded: dict[Exclusion, list[EvaluationId]] = field(default_factory=dict)
    others: set[ReevaluationId] = field(default_factory=set)

    def leave_out(self, evaluation: Evaluation, reason: Exclusion) -> None:
        """Notes that one is not made."""
        self.excluded.setdefault(reason, []).append(evaluation.id)


def target_of(session: Session, challenge: Challenge, reevaluation: Reevaluation) -> Target:
    """What it names, and elsewhere what is in force."""
    query = select(Dataset).where(IN_FORCE, Dataset.challenge_id == challenge.id)
    found = [*session.scalars(query), *(session.get_one(Dataset, one) for one in reevaluation.datasets)]
    version = reevaluation.target_version or challenge.current_version
    if version is None:  # a challenge is made together with its first version
        raise LookupError(f"challenge {challenge.slug} has no version")
    return Target(version, {(dataset.phase, dataset.task): dataset.id for dataset in found})


def cover(session: Session, challenge: Challenge, reevaluation: Reevaluation, settings: Settings) -> Coverage:
    """What it would make now of all that its scope holds and that it has not made yet."""
    target = target_of(session, challenge, reevaluation)
    own = _made(session, reevaluation)
    others = _in_others(session, challenge, reevaluation)
    found, run_bases = Coverage(target), _RunBases(session, target.spec)
    possible = []
    for evaluation in held(session, challenge, reevaluation.scope):
        if evaluation.id in own:
            continue
        reason = _reason(evaluation, reevaluation.mode, target, run_bases, others)
        if reason is None:
            possible.append(evaluation)
            continue
        found.leave_out(evaluation, reason)
        if reason is Exclusion.IN_ANOTHER:
            found.others.add(others[evaluation.id])
    cases = Cases(session)
    if reevaluation.mode is ReevaluationMode.RERUN:
        found.included = [_all_run(evaluation, target, cases) for evaluation in possible]
    else:
        _take_over(session, possible, reevaluation.mode, cases, found, settings)
    return found


def _made(session: Session, reevaluation: Reevaluation) -> Collection[EvaluationId | None]:
    query = select(Evaluation.replaces_id).where(Evaluation.reevaluation_id == reevaluation.id)
    return set(session.scalars(query))


def _in_others(
    session: Session, challenge: Challenge, reevaluation: Reevaluation
) -> Mapping[EvaluationId, ReevaluationId]:
    """Evaluations that another one has made anew and not decided on. A draft holds nothing: two would for ever."""
    rows = session.execute(
        select(Evaluation.replaces_id, Evaluation.reevaluation_id)
        .join(Reevaluation, Reevaluation.id == Evaluation.reevaluation_id)
        .where(
            Reevaluation.challenge_id == challenge.id,
            Reevaluation.id != reevaluation.id,
            Reevaluation.state.in_(UNDER_WAY),
        )
    )
    return {old: other for old, other in rows if old is not None and other is not None}


class _RunBases:
    """How tasks run under the versions of the file, found once for each."""

    def __init__(self, session: Session, now: Spec) -> None:
        self._session = session
        self._now = {task: run_base(now, task) for task in now.tasks}
        self._differ: dict[tuple[SpecVersionId, str], bool] = {}

    def differ(self, evaluation: Evaluation) -> bool:
        """Whether the evaluation ran otherwise than its task runs now."""
        key = evaluation.spec_version_id, evaluation.task
        if key not in self._differ:
            then: Base = run_base(evaluation.spec_version.spec, evaluation.task)
            self._differ[key] = bool(run_differences(then, self._now[evaluation.task]))
        return self._differ[key]


_UNMENDED = {
    EvaluationStatus.ERRORED: Exclusion.ERRORED,
    EvaluationStatus.CANCELLED: Exclusion.WITHDRAWN,
    **dict.fromkeys(ACTIVE, Exclusion.UNDER_WAY),
}


def _reason(
    evaluation: Evaluation,
    mode: ReevaluationMode,
    target: Target,
    run_bases: _RunBases,
    others: Mapping[EvaluationId, ReevaluationId],
) -> Exclusion | None:
    """Why it cannot be made anew, as far as that can be said without a look at its cases."""
    spec, rerun = target.spec, mode is ReevaluationMode.RERUN
    if (unmended := _UNMENDED.get(evaluation.status)) is not None:
        return unmended
    if evaluation.id in others:
        return Exclusion.IN_ANOTHER
    there = (
        (evaluation.phase, spec.phases),
        (evaluation.track, spec.tracks),
        (evaluation.task, spec.tasks),
    )
    if any(name not in names for name, names in there):
        return Exclusion.NOT_IN_FILE
    if (evaluation.phase, evaluation.task) not in target.datasets:
        return Exclusion.NO_CASES
    if not rerun and run_bases.differ(evaluation):
        return Exclusion.RUNS_OTHERWISE
    return Exclusion.IMAGE_GONE if rerun and evaluation.image.removed_at is not None else None


def _all_run(evaluation: Evaluation, target: Target, cases: Cases) -> Material:
    dataset = target.datasets[evaluation.phase, evaluation.task]
    return Material(evaluation, dataset, to_run=[case for case, _, _ in cases.of(dataset)])


def _take_over(
    session: Session,
    evaluations: Sequence[Evaluation],
    mode: ReevaluationMode,
    cases: Cases,
    found: Coverage,
    settings: Settings,
) -> None:
    known = outcomes(session, evaluations, cases, settings.blobs)
    for evaluation in evaluations:
        dataset = found.target.datasets[evaluation.phase, evaluation.task]
        material = match(evaluation, dataset, cases, known.get(evaluation.id, {}))
        if (reason := _lack(material, mode)) is None:
            found.included.append(material)
        else:
            found.leave_out(evaluation, reason)


def _lack(material: Material, mode: ReevaluationMode) -> Exclusion | None:
    if not material.to_run:
        return None if material.outputs else Exclusion.NO_OUTPUT
    if mode is ReevaluationMode.RESCORE:
        return Exclusion.OUTPUT_MISSING
    return None if material.evaluation.image.removed_at is None else Exclusion.IMAGE_GONE
