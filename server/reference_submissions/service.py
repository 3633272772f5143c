"""Asking for reference submissions, and the score worker's side of them."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from contract.problems import ErrorCode
from evaluator.bases import run_base, scoring_base
from evaluator.spec import Challenge as Spec
from evaluator.version import evaluator_version
from server import events
from server.accounts.principals import Observer, Organizer
from server.challenges.models import Challenge
from server.challenges.service import get_phase, of_these, require_task
from server.database import after_commit
from server.datasets.current import in_force, lock
from server.datasets.fit import fits
from server.datasets.models import Dataset, DatasetState
from server.errors import Conflict, NotFound
from server.reference_submissions.models import ReferenceSubmission
from server.settings import Settings
from server.wakeups import wake_score_workers

LEASE = timedelta(minutes=2)
"""For so long one is a score worker's, from each time that it renews it."""
_MOST_CLAIMS = 2
WITHOUT_A_WORD = "The score worker that had it ended without a word, twice. Look at its log, and ask again."


def ask(
    session: Session,
    challenge: Challenge,
    organizer: Organizer,
    *,
    phase: str | None = None,
    task: str | None = None,
    settings: Settings,
) -> Sequence[ReferenceSubmission]:
    """Has score workers try each task with cases in force; what was tried before makes way, what waits goes on.

    Raises:
        NotFound: there is no such phase or task, or none of those that are meant has cases that fit.
    """
    _require_known(challenge, phase, task)
    lock(session, challenge.id)  # so that two who ask at once do not try the same twice
    meant = [
        (name, dataset)
        for name in ([phase] if phase else challenge.spec.phases)
        for key in ([task] if task else challenge.spec.tasks)
        if (dataset := in_force(session, challenge, name, key)) and fits(session, dataset, challenge)
    ]
    if not meant:
        detail = "Nothing can be tried: no cases that fit the challenge file are in force there. Import them first."
        raise NotFound(ErrorCode.NO_DATASET, detail)
    for name, dataset in meant:
        _begin(session, challenge, name, dataset, organizer)
    what = f"reference submissions: {', '.join(f'{name} {dataset.task}' for name, dataset in meant)}"
    events.record(session, "challenge", challenge.id, actor=organizer.actor, what=what)
    session.flush()
    after_commit(session, lambda: wake_score_workers(settings.redis_url))
    return found(session, challenge, organizer, phase=phase, task=task)


def _begin(
    session: Session, challenge: Challenge, phase: str, dataset: Dataset, organizer: Organizer
) -> None:
    same = (
        ReferenceSubmission.challenge_id == challenge.id,
        ReferenceSubmission.phase == phase,
        ReferenceSubmission.task == dataset.task,
    )
    present = (
        ReferenceSubmission.finished_at.is_(None),
        ReferenceSubmission.dataset_id == dataset.id,
        ReferenceSubmission.spec_version_id == challenge.current_version_id,
    )
    if session.scalar(select(exists().where(*same, *present))):
        return
    session.execute(delete(ReferenceSubmission).where(*same))
    session.add(
        ReferenceSubmission(
            challenge_id=challenge.id,
            phase=phase,
            task=dataset.task,
            spec_version_id=challenge.current_version_id,
            dataset_id=dataset.id,
            asked_by=organizer.actor,
        )
    )


def found(
    session: Session,
    challenge: Challenge,
    observer: Observer,
    *,
    phase: str | None = None,
    task: str | None = None,
) -> Sequence[ReferenceSubmission]:
    """The last one of each phase and task, in the order of the challenge file.

    Raises:
        NotFound: there is no such phase or task.
    """
    _require_known(challenge, phase, task)
    query = select(ReferenceSubmission).where(ReferenceSubmission.challenge_id == challenge.id)
    query = query if phase is None else query.where(ReferenceSubmission.phase == phase)
    query = query if task is None else query.where(ReferenceSubmission.task == task)
    phases, tasks = list(challenge.spec.phases), list(challenge.spec.tasks)
    kept = [row for row in session.scalars(query) if row.phase in phases and row.task in tasks]
    return sorted(kept, key=lambda row: (phases.index(row.phase), tasks.index(row.task)))


def is_in_force(challenge: Challenge, row: ReferenceSubmission) -> bool:
    """Whether what was tried is still what submissions meet: the cases, how the task runs, and how it is scored."""
    if row.dataset.state != DatasetState.ACTIVE:
        return False
    tried, present = row.spec_version.spec, challenge.spec
    return row.spec_version_id == challenge.current_version_id or (
        row.task in present.tasks and _scored_so(tried, row.task) == _scored_so(present, row.task)
    )


def _scored_so(spec: Spec, task: str) -> tuple[Any, ...]:
    return run_base(spec, task), {board: scoring_base(spec, board) for board in spec.boards_of(task)}


def as_expected(row: ReferenceSubmission) -> bool | None:
    """Whether all came out as it should; None until it is done, or where it failed."""
    if row.finished_at is None or row.trouble is not None:
        return None
    return all(judgement["as_expected"] for judgement in row.judgements)


def _require_known(challenge: Challenge, phase: str | None, task: str | None) -> None:
    if phase is not None:
        get_phase(challenge.spec, phase)
    if task is not None:
        require_task(challenge.spec, task)


def claim(session: Session, challenges: Collection[str] = ()) -> ReferenceSubmission | None:
    """The one that has waited longest, leased to the caller; of these `challenges` alone where some are named."""
    clock = func.clock_timestamp()
    waits = or_(ReferenceSubmission.lease_until.is_(None), ReferenceSubmission.lease_until < clock)
    query = (
        select(ReferenceSubmission)
        .where(ReferenceSubmission.finished_at.is_(None), waits)
        .where(of_these(ReferenceSubmission.challenge_id, challenges))
        .order_by(ReferenceSubmission.created_at, ReferenceSubmission.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    while (row := session.scalar(query)) is not None:
        if row.claim_no < _MOST_CLAIMS:
            row.claim_no += 1
            row.lease_until = clock + LEASE
            session.flush()
            return row
        row.finished_at, row.trouble = clock, WITHOUT_A_WORD
        session.flush()
    return None


def renew(session: Session, row_id: UUID, claim_no: int) -> None:
    """Keeps one for its score worker.

    Raises:
        Conflict: another has taken it, or it was asked for anew.
    """
    _locked(session, row_id, claim_no).lease_until = func.clock_timestamp() + LEASE


def settle(session: Session, row_id: UUID, claim_no: int, judgements: Sequence[dict[str, Any]]) -> None:
    """Stores what was expected and found.

    Raises:
        Conflict: as `renew`.
    """
    row = _locked(session, row_id, claim_no)
    row.judgements = list(judgements)
    row.evaluator_version, row.finished_at = evaluator_version(), func.clock_timestamp()


def fail(session: Session, row_id: UUID, claim_no: int, trouble: str) -> None:
    """Stores why nothing was found.

    Raises:
        Conflict: as `renew`.
    """
    row = _locked(session, row_id, claim_no)
    row.trouble, row.finished_at = trouble, func.clock_timestamp()


def is_held(session: Session, row_id: UUID, claim_no: int) -> bool:
    """Whether a score worker works on it under this claim."""
    held = exists().where(
        ReferenceSubmission.id == row_id,
        ReferenceSubmission.claim_no == claim_no,
        ReferenceSubmission.finished_at.is_(None),
        ReferenceSubmission.lease_until > func.clock_timestamp(),
    )
    return bool(session.scalar(select(held)))


def _locked(session: Session, row_id: UUID, claim_no: int) -> ReferenceSubmission:
    row = session.scalar(
        select(ReferenceSubmission)
        .where(
            ReferenceSubmission.id == row_id,
            ReferenceSubmission.claim_no == claim_no,
            ReferenceSubmission.finished_at.is_(None),
        )
        .with_for_update(),
        execution_options={"populate_existing": True},
    )
    if row is None:
        raise Conflict(ErrorCode.SCORING_LOST, "This reference submission is not yours to score any more.")
    return row
