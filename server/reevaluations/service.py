"""The life of a re-evaluation: drafted, started, brought to its end, applied and reverted, or cancelled."""

from collections.abc import Collection, Sequence
from datetime import UTC
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from contract.ids import ReevaluationId
from contract.problems import ErrorCode
from contract.reevaluations import ReevaluationOrder
from contract.statuses import ReevaluationState
from evaluator.spec import Challenge as Spec
from server import moves
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge, SpecVersion
from server.datasets.current import lock
from server.datasets.findings import some
from server.datasets.fit import fits, problems_of
from server.datasets.models import Dataset, DatasetState
from server.datasets.said import require_no_case
from server.errors import Conflict, NotFound, Unprocessable
from server.evaluations.models import Evaluation
from server.evaluations.service import cancel as cancel_evaluation
from server.evaluations.service import lock_evaluation
from server.evaluations.status import ACTIVE
from server.events import PLATFORM
from server.naming import naming
from server.plans.service import read
from server.reevaluations.coverage import Coverage, cover
from server.reevaluations.making import make
from server.reevaluations.models import REEVALUATION_MOVES, Reevaluation
from server.reevaluations.scope import require_names
from server.settings import Settings

_S = ReevaluationState


def find(session: Session, observer: Observer, reevaluation_id: ReevaluationId) -> Reevaluation:
    """A re-evaluation of the observer's challenge."""
    found = session.get(Reevaluation, reevaluation_id)
    if found is None or found.challenge_id != observer.challenge_id:
        raise NotFound(
            ErrorCode.UNKNOWN_REEVALUATION, f"This challenge has no re-evaluation {reevaluation_id}."
        )
    return found


def listed(
    session: Session, observer: Observer, *, limit: int, before: ReevaluationId | None = None
) -> Sequence[Reevaluation]:
    """Those of the observer's challenge, the newest first; `before`: only older ones than that."""
    query = select(Reevaluation).where(Reevaluation.challenge_id == observer.challenge_id)
    if before is not None:
        query = query.where(Reevaluation.id < before)
    return session.scalars(query.order_by(Reevaluation.id.desc()).limit(limit)).all()


def draft(
    session: Session,
    organizer: Organizer,
    challenge: Challenge,
    wanted: ReevaluationOrder,
    *,
    settings: Settings,
    code: Collection[str] | None,
) -> tuple[Reevaluation, Coverage]:
    """Notes what is to be made anew, and finds what that would be; nothing is made before it is started.

    code: what a file may name, see `server.plans.service.read`.

    Raises:
        NotFound, BadRequest, Unprocessable: it names what there is not, or a wrong file, or its reason a hidden case.
        Conflict: nothing that the scope holds can be made anew, or cases that it names cannot come into force.
    """
    require_no_case(session, challenge.id, wanted.why)
    require_names(session, challenge, wanted.scope)
    version = None
    if wanted.file is not None:
        spec = read(wanted.file, wanted.overlay, settings=settings, code=code)
        version = _version(session, challenge, spec)
    reevaluation = Reevaluation(
        challenge_id=challenge.id,
        mode=wanted.mode,
        scope=wanted.scope,
        why=wanted.why,
        repetitions=wanted.repetitions,
        priority=wanted.priority,
        target_version=version,
        target_datasets=[
            str(dataset) for dataset in _datasets(session, challenge, version, wanted, settings)
        ],
        created_by=organizer.actor,
    )
    session.add(reevaluation)
    session.flush()
    moves.begin(
        session, "reevaluation", reevaluation.id, reevaluation.state, actor=organizer.actor, why=wanted.why
    )
    coverage = cover(session, challenge, reevaluation, settings)
    _require_some(coverage)
    return reevaluation, coverage


def _require_some(coverage: Coverage) -> None:
    if not coverage.included:
        left_out = "; ".join(f"{len(ids)}: {reason.words}" for reason, ids in coverage.excluded.items())
        why = f" What it holds is left out. {left_out}." if left_out else ""
        detail = f"The scope holds no evaluation that could be made anew.{why}"
        raise Conflict(ErrorCode.NOTHING_IN_SCOPE, detail)


def _version(session: Session, challenge: Challenge, spec: Spec) -> SpecVersion | None:
    """The version that a file is, which is kept; None where it is the present one."""
    if spec.challenge != challenge.slug:
        detail = f"This file is of {spec.challenge}, and the re-evaluation of {challenge.slug}."
        raise Unprocessable(ErrorCode.CHALLENGE_FILE, detail)
    same = SpecVersion.challenge_id == challenge.id, SpecVersion.digest == spec.digest
    version = session.scalar(select(SpecVersion).where(*same))
    if version is None:
        version = SpecVersion(
            challenge_id=challenge.id, digest=spec.digest, content=spec.model_dump(mode="json")
        )
        session.add(version)
    return None if version.id is not None and version.id == challenge.current_version_id else version


def _datasets(
    session: Session,
    challenge: Challenge,
    version: SpecVersion | None,
    wanted: ReevaluationOrder,
    settings: Settings,
) -> list[UUID]:
    """The versions of the cases that are named and not in force, one of a phase and task at most."""
    places: dict[tuple[str, str], Dataset] = {}
    for dataset_id in wanted.datasets:
        dataset = session.get(Dataset, dataset_id)
        if dataset is None or dataset.challenge_id != challenge.id:
            detail = f"{challenge.slug} has no version {dataset_id} of any cases."
            raise NotFound(ErrorCode.UNKNOWN_DATASET, detail)
        if places.setdefault((dataset.phase, dataset.task), dataset) is not dataset:
            detail = (
                f"Two versions of the cases of {dataset.phase} {dataset.task} are named; one can be in force."
            )
            raise Conflict(ErrorCode.SEVERAL_DATASETS, detail)
        _require_usable(session, challenge, version, dataset, settings)
    return [dataset.id for dataset in places.values() if dataset.state != DatasetState.ACTIVE]


def _require_usable(
    session: Session,
    challenge: Challenge,
    version: SpecVersion | None,
    dataset: Dataset,
    settings: Settings,
) -> None:
    if dataset.state == DatasetState.DROPPED:
        detail = f"The files of {dataset.digest} were dropped; import its folder again to bring it back."
        raise Conflict(ErrorCode.DATASET_DROPPED, detail)
    spec = challenge.spec if version is None else version.spec
    if version is None and fits(session, dataset, challenge):
        return
    there = dataset.phase in spec.phases and dataset.task in spec.tasks
    problems = problems_of(dataset, spec, settings) if there else ["the file has no such phase or task"]
    if problems:
        detail = f"{dataset.digest} does not fit the challenge file: {some(problems)}."
        raise Conflict(ErrorCode.CASES_UNFIT, detail)


def locked(session: Session, reevaluation: Reevaluation) -> Challenge:
    """Its challenge, in which nothing else is applied, brought into force or started until the commit.

    The re-evaluation is as it is now.
    """
    challenge = lock(session, reevaluation.challenge_id)
    session.refresh(challenge)
    session.refresh(reevaluation)
    return challenge


def start(session: Session, organizer: Organizer, reevaluation: Reevaluation, *, settings: Settings) -> None:
    """Makes its evaluations, beside those that count.

    Raises:
        Conflict: it is no draft, nothing that its scope holds can be made anew any more, or the cases that it names
            cannot come into force.
    """
    challenge = locked(session, reevaluation)
    if reevaluation.state is not _S.DRAFT:
        detail = f"Re-evaluation {reevaluation.id} is {reevaluation.state}; only a draft is started."
        raise Conflict(ErrorCode.NOT_A_DRAFT, detail)
    for dataset_id in reevaluation.datasets:
        dataset = session.get_one(Dataset, dataset_id)
        _require_usable(session, challenge, reevaluation.target_version, dataset, settings)
    naming(session)
    coverage = cover(session, challenge, reevaluation, settings)
    _require_some(coverage)
    make(session, reevaluation, coverage, actor=organizer.actor, settings=settings)
    reevaluation.move_to(session, _S.RUNNING, actor=organizer.actor)


def ended(session: Session) -> Sequence[ReevaluationId]:
    """Those that run and whose evaluations have all ended, the oldest first."""
    running = select(Reevaluation.id).where(Reevaluation.state == _S.RUNNING, ~_active())
    return session.scalars(running.order_by(Reevaluation.id)).all()


def advance(session: Session, reevaluation_id: ReevaluationId, *, settings: Settings) -> None:
    """Brings in what came late to one whose evaluations have all ended; where nothing did, it is READY."""
    reevaluation = session.get_one(Reevaluation, reevaluation_id)
    challenge = locked(session, reevaluation)
    if reevaluation.state is not _S.RUNNING:
        return
    naming(session)
    late = cover(session, challenge, reevaluation, settings)
    if not make(session, reevaluation, late, actor=PLATFORM, settings=settings) and not is_active(
        session, reevaluation.id
    ):
        reevaluation.move_to(session, _S.READY, actor=PLATFORM)
    session.flush()


def catch_up(
    session: Session, organizer: Organizer, reevaluation: Reevaluation, *, settings: Settings
) -> int:
    """Brings in what came late to one that is ready, which runs again then; how many evaluations were made.

    Raises:
        Conflict: it has not come to its end, or is over.
    """
    challenge = locked(session, reevaluation)
    require_ready(session, reevaluation)
    naming(session)
    late = cover(session, challenge, reevaluation, settings)
    made = make(session, reevaluation, late, actor=organizer.actor, settings=settings)
    if made:
        reevaluation.move_to(session, _S.RUNNING, actor=organizer.actor, why=f"{made} came late")
    return made


def require_ready(session: Session, reevaluation: Reevaluation) -> None:
    """Raises Conflict unless it is ready, and nothing of it is under way again."""
    if reevaluation.state in (_S.APPLIED, _S.REVERTED):
        at = reevaluation.applied_at
        when = "" if at is None else f" on {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        since = " and reverted since; make another one to have it back" if reevaluation.reverted_at else ""
        detail = f"Re-evaluation {reevaluation.id} was applied{when}{since}."
        raise Conflict(ErrorCode.ALREADY_APPLIED, detail)
    if reevaluation.state is _S.CANCELLED:
        raise Conflict(ErrorCode.REEVALUATION_OVER, f"Re-evaluation {reevaluation.id} was cancelled.")
    if reevaluation.state is not _S.READY or is_active(session, reevaluation.id):
        detail = f"Re-evaluation {reevaluation.id} is {reevaluation.state}: evaluations of it have not ended."
        if reevaluation.state is _S.DRAFT:
            detail = f"Re-evaluation {reevaluation.id} is a draft: start it first."
        raise Conflict(ErrorCode.NOT_READY, detail)


def is_active(session: Session, reevaluation_id: ReevaluationId) -> bool:
    """Whether an evaluation of it has not ended."""
    own = Evaluation.reevaluation_id == reevaluation_id, Evaluation.status.in_(ACTIVE)
    return session.scalar(select(Evaluation.id).where(*own).limit(1)) is not None


def _active() -> ColumnElement[bool]:
    own = Evaluation.reevaluation_id == Reevaluation.id, Evaluation.status.in_(ACTIVE)
    return select(Evaluation.id).where(*own).exists()


def cancel(session: Session, organizer: Organizer, reevaluation: Reevaluation, *, why: str) -> int:
    """Gives it up; what of it has not ended is cancelled. How many evaluations that were.

    Raises:
        Conflict: it is over.
    """
    locked(session, reevaluation)
    if _S.CANCELLED not in REEVALUATION_MOVES[reevaluation.state]:
        detail = f"Re-evaluation {reevaluation.id} is {reevaluation.state} and cannot be cancelled."
        raise Conflict(ErrorCode.REEVALUATION_OVER, detail)
    own = Evaluation.reevaluation_id == reevaluation.id, Evaluation.status.in_(ACTIVE)
    active = session.scalars(select(Evaluation.id).where(*own).order_by(Evaluation.id)).all()
    cancelled = 0
    for evaluation_id in active:
        # It may have ended while its row was waited for.
        if lock_evaluation(session, evaluation_id).status in ACTIVE:
            cancel_evaluation(session, evaluation_id, actor=organizer.actor)
            cancelled += 1
    reevaluation.move_to(session, _S.CANCELLED, actor=organizer.actor, why=why)
    return cancelled
