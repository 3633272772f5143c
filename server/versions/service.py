"""The versions of the cases of a challenge: which there are, and bringing them into force and out of the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import DatasetId
from contract.problems import ErrorCode
from server.amendments import frozen
from server.challenges.models import Challenge
from server.challenges.service import get_challenge, get_phase, require_task
from server.database import after_commit
from server.datasets.current import in_force, lock
from server.datasets.findings import Findings, some
from server.datasets.fit import fits, problems_of
from server.datasets.labels import labels_of
from server.datasets.models import Case, Dataset, DatasetState
from server.datasets.overlap import find_overlaps
from server.datasets.service import Accept, never, stage
from server.datasets.staging import Progress
from server.datasets.trees import Trees
from server.errors import Conflict, NotFound
from server.evaluations.models import Evaluation
from server.settings import Settings
from server.versions.amending import amend_cases
from server.versions.effects import effect_of

_LEAST_PREFIX = 4


@dataclass(frozen=True)
class Version:
    """One version as organizers see it. `labels` is None where the references cannot be read here; size in bytes."""

    dataset: Dataset
    cases: int
    labels: str | None
    evaluations: int
    size: int


def versions(
    session: Session,
    challenge: Challenge,
    *,
    phase: str | None = None,
    task: str | None = None,
    settings: Settings,
) -> list[Version]:
    """Every version of a challenge, by phase and task in the file's order, the newest first."""
    if phase is not None:
        get_phase(challenge.spec, phase)
    if task is not None:
        require_task(challenge.spec, task)
    query = select(Dataset).where(Dataset.challenge_id == challenge.id)
    query = query if phase is None else query.where(Dataset.phase == phase)
    query = query if task is None else query.where(Dataset.task == task)
    found = list(session.scalars(query.order_by(Dataset.created_at.desc(), Dataset.id.desc())))
    used, cases = _used(session, found), _cases(session, found)
    phases, tasks = list(challenge.spec.phases), list(challenge.spec.tasks)

    def place(one: Dataset) -> tuple[int, int]:
        return _index(phases, one.phase), _index(tasks, one.task)

    return [
        _version(dataset, used.get(dataset.id, 0), cases.get(dataset.id, 0), settings)
        for dataset in sorted(found, key=place)
    ]


def _index(names: list[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _used(session: Session, datasets: Sequence[Dataset]) -> dict[DatasetId, int]:
    rows = session.execute(
        select(Evaluation.dataset_id, func.count())
        .where(Evaluation.dataset_id.in_([dataset.id for dataset in datasets]))
        .group_by(Evaluation.dataset_id)
    )
    return {row[0]: row[1] for row in rows}


def _cases(session: Session, datasets: Sequence[Dataset]) -> dict[DatasetId, int]:
    rows = session.execute(
        select(Case.dataset_id, func.count())
        .where(Case.dataset_id.in_([dataset.id for dataset in datasets]))
        .group_by(Case.dataset_id)
    )
    return {row[0]: row[1] for row in rows}


def uses(session: Session, dataset: Dataset) -> int:
    """How many evaluations ran or run on it."""
    return _used(session, [dataset]).get(dataset.id, 0)


def _version(dataset: Dataset, used: int, cases: int, settings: Settings) -> Version:
    trees = Trees.of(settings, Path(dataset.folder))
    dropped = dataset.state == DatasetState.DROPPED
    return Version(
        dataset,
        cases=cases,
        labels=None if dropped else labels_of(trees.references),
        evaluations=used,
        size=0 if dropped else trees.size(),
    )


def find_version(
    session: Session,
    prefix: str,
    *,
    challenge: str | None = None,
    phase: str | None = None,
    task: str | None = None,
) -> Dataset:
    """The version whose digest begins with `prefix`, written with or without sha256:; the others narrow it down.

    Raises:
        NotFound, Conflict: none or several begin so.
    """
    digits = prefix.strip().lower().removeprefix("sha256:")
    if len(digits) < _LEAST_PREFIX or not all(digit in "0123456789abcdef" for digit in digits):
        raise NotFound(
            ErrorCode.UNKNOWN_DATASET,
            f"{prefix!r} is no beginning of a digest: give at least {_LEAST_PREFIX} of its digits, as "
            "'proctor-admin datasets' shows them.",
        )
    query = select(Dataset).where(Dataset.digest.like(f"sha256:{digits}%"))
    if challenge is not None:
        query = query.where(Dataset.challenge_id == get_challenge(session, challenge).id)
    query = query if phase is None else query.where(Dataset.phase == phase)
    query = query if task is None else query.where(Dataset.task == task)
    found = list(session.scalars(query.limit(20)))
    if not found:
        raise NotFound(
            ErrorCode.UNKNOWN_DATASET, f"No version of any cases has a digest that begins with {digits}."
        )
    if len(found) > 1:
        names = ", ".join(_described(session, dataset) for dataset in found)
        raise Conflict(
            ErrorCode.SEVERAL_DATASETS,
            f"Several begin with {digits}: {names}. Say more with --challenge, --phase or --task.",
        )
    return found[0]


def _described(session: Session, dataset: Dataset) -> str:
    challenge = session.get_one(Challenge, dataset.challenge_id)
    return f"{dataset.digest[7:19]} ({challenge.slug} {dataset.phase} {dataset.task}, {dataset.state})"


def get_version(session: Session, dataset_id: DatasetId) -> Dataset:
    """The version with this id."""
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        raise NotFound(ErrorCode.UNKNOWN_DATASET, "There is no such version of any cases.")
    return dataset


def activate(
    session: Session,
    dataset: Dataset,
    *,
    settings: Settings,
    actor: str,
    confirmed: bool = True,
    why: str | None = None,
) -> None:
    """Brings a version into force; the one that was is superseded. Evaluations that wait keep the cases they have.

    In a phase that has opened this is an amendment, with `why` as its reason.

    Raises:
        Conflict: it is in force already, its files are gone, it does not fit the challenge file as it is now, a hidden
            scan would be in a public phase, or evaluations are concerned and it is not `confirmed`.
    """
    challenge = lock(session, dataset.challenge_id)
    session.refresh(dataset)
    if dataset.state == DatasetState.ACTIVE:
        raise Conflict(ErrorCode.DATASET_IN_FORCE, f"{dataset.digest} is in force already.")
    if dataset.state == DatasetState.DROPPED:
        detail = f"The files of {dataset.digest} were dropped; import its folder again to bring it back."
        raise Conflict(ErrorCode.DATASET_DROPPED, detail)
    _require_fit(session, dataset, challenge, settings)
    findings = Findings()
    find_overlaps(session, challenge, dataset.phase, cases=dataset.cases, findings=findings)
    if findings.errors:
        raise Conflict(ErrorCode.SCANS_PUBLIC, "; ".join(findings.errors))
    effect = effect_of(session, dataset)
    if effect.touches and not confirmed:
        detail = f"If {dataset.digest} comes into force: {effect.sentence()}. Confirm it to go on."
        raise Conflict(ErrorCode.NEEDS_CONFIRMATION, detail)
    frozen.note(session, challenge)
    old = in_force(session, challenge, dataset.phase, dataset.task)
    if old is not None:
        old.move_to(session, DatasetState.SUPERSEDED, actor=actor)
        session.flush()
    dataset.move_to(session, DatasetState.ACTIVE, actor=actor, why=effect.sentence())
    session.flush()
    amend_cases(session, challenge, dataset, old, by=actor, why=why)


def _require_fit(session: Session, dataset: Dataset, challenge: Challenge, settings: Settings) -> None:
    """Looks at cases again that were found to fit another version of the file; raises Conflict if they do not fit."""
    if fits(session, dataset, challenge):
        return
    if problems := problems_of(dataset, challenge.spec, settings):
        detail = f"{dataset.digest} does not fit the challenge file as it is now: {some(problems)}."
        raise Conflict(ErrorCode.CASES_UNFIT, detail)
    dataset.fits_version_id = challenge.current_version_id


def import_fomo(
    session: Session,
    challenge: Challenge,
    *,
    phase: str,
    task: str,
    source: Path,
    settings: Settings,
    actor: str,
    accept: Accept = never,
    progress: Progress = lambda done, of: None,
) -> tuple[Dataset, bool]:
    """Stages a folder and brings it into force unasked; the dataset, and whether anything changed.

    Raises:
        LayoutError: see `stage`.
    """
    staged = stage(
        session,
        challenge,
        phase=phase,
        task=task,
        source=source,
        settings=settings,
        actor=actor,
        accept=accept,
        progress=progress,
    )
    if staged.dataset.state == DatasetState.ACTIVE:
        return staged.dataset, False
    activate(session, staged.dataset, settings=settings, actor=actor)
    return staged.dataset, True


def drop(session: Session, dataset: Dataset, *, settings: Settings, actor: str) -> int:
    """Removes the files of a version once the unit of work has committed; how many bytes they are. Its row stays.

    What this process may not remove a score worker's sweep does; of labels that it cannot see it counts no bytes.

    Raises:
        Conflict: it is in force, an evaluation ran on it, or its files are gone already; or a backup is being made.
    """
    lock(session, dataset.challenge_id)  # against activations; the row's own lock is against submissions
    session.refresh(dataset, with_for_update=True)
    if dataset.state == DatasetState.ACTIVE:
        raise Conflict(
            ErrorCode.DATASET_IN_FORCE, f"{dataset.digest} is in force; only other versions can be dropped."
        )
    if dataset.state == DatasetState.DROPPED:
        raise Conflict(ErrorCode.DATASET_DROPPED, f"The files of {dataset.digest} were dropped already.")
    if used := uses(session, dataset):
        ran = "1 evaluation" if used == 1 else f"{used:,} evaluations"
        detail = f"{ran} ran on {dataset.digest}; its files are what their scores are made of."
        raise Conflict(ErrorCode.DATASET_USED, detail)
    settings.blobs.require_no_backup()
    trees = Trees.of(settings, Path(dataset.folder))
    size = trees.size(own=True)
    settings.blobs.forget_lent(trees.folder.name)  # before its row says that it is gone; they are copies only
    dataset.move_to(session, DatasetState.DROPPED, actor=actor)
    after_commit(session, trees.remove)
    return size


def unused(
    session: Session, challenge: Challenge | None, *, phase: str | None = None, task: str | None = None
) -> list[Dataset]:
    """Every version that could be dropped: not in force, and no evaluation ran on it."""
    states = (DatasetState.STAGED, DatasetState.SUPERSEDED)
    query = select(Dataset).where(Dataset.state.in_(states)).order_by(Dataset.created_at, Dataset.id)
    if challenge is not None:
        query = query.where(Dataset.challenge_id == challenge.id)
    query = query if phase is None else query.where(Dataset.phase == phase)
    query = query if task is None else query.where(Dataset.task == task)
    found = session.scalars(query).all()
    used = _used(session, found)
    return [dataset for dataset in found if not used.get(dataset.id)]
