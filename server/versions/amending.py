"""What is said to everybody when other cases come into force in a phase that has opened: never which cases."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.phases import FIRST_CASES
from server.amendments import frozen
from server.amendments.service import amend
from server.challenges.models import Challenge
from server.clock import now
from server.datasets.models import Case, Dataset
from server.words import counted


def amend_cases(
    session: Session, challenge: Challenge, dataset: Dataset, old: Dataset | None, *, by: str, why: str | None
) -> None:
    """Records that `dataset` has come into force instead of `old`, after `frozen.note` was called before it did."""
    plans, phase = frozen.note(session, challenge), challenge.spec.phases.get(dataset.phase)
    if phase is None or not phase.has_opened(now(session)) or dataset.phase not in plans:
        return
    before, after = plans[dataset.phase]
    task = challenge.spec.tasks.get(dataset.task)
    place = f"{phase.title}, {dataset.task if task is None else task.title}"
    cases = counted(_cases(session, dataset), "case", "cases")
    if old is None:
        what = f"{place}: {FIRST_CASES} ({cases})"
    else:
        before_that = f"instead of the one before ({_cases(session, old)})"
        what = f"{place}: another version of the cases counts ({cases}) {before_that}"
    amend(
        session,
        challenge,
        what=f"{what}; {frozen.words(before, after)}",
        why=why,
        by=by,
        phase=dataset.phase,
        task=dataset.task,
        told=old is not None,
    )


def _cases(session: Session, dataset: Dataset) -> int:
    count = select(func.count()).select_from(Case).where(Case.dataset_id == dataset.id)
    return session.scalar(count) or 0
