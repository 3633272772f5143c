"""What happens if another version of the cases comes into force: to evaluations, and to the cases themselves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.ids import ChallengeId
from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge, SpecVersion
from server.datasets.difference import Difference, difference
from server.datasets.fit import fits
from server.datasets.models import IN_FORCE, Dataset, DatasetState
from server.evaluations.models import Evaluation
from server.evaluations.status import ACTIVE
from server.settings import Settings


@dataclass(frozen=True)
class Effect:
    """What an activation does: scored evaluations that leave and come back, and those that wait on other cases.

    given_back, spent_again: the attempts of those that leave and come back; 0 where the phase does not limit them.
    """

    leave: int
    come_back: int
    waiting: int
    given_back: int
    spent_again: int
    limited: bool

    @property
    def touches(self) -> bool:
        """Whether anybody's result or submission is concerned."""
        return bool(self.leave or self.come_back or self.waiting)

    def sentence(self) -> str:
        """What happens, in words."""
        parts = []
        if self.leave:
            back = f", and {self.given_back} attempts are given back" if self.limited else ""
            parts.append(f"{self.leave} scored evaluations no longer count{back}")
        if self.come_back:
            spent = f", and {self.spent_again} attempts are spent again" if self.limited else ""
            parts.append(f"{self.come_back} scored evaluations count again{spent}")
        if self.waiting:
            back = "; their attempts are given back when they end" if self.limited else ""
            parts.append(
                f"{self.waiting} evaluations that wait or run keep the cases they have and will not count{back}"
            )
        return "; ".join(parts) if parts else "no evaluation is concerned"


def in_force(
    session: Session, challenge: Challenge, phase: str, task: str, *, keep: bool = False
) -> Dataset | None:
    """The version that submissions run on, if there is one; with `keep` it is not dropped before the commit."""
    query = select(Dataset).where(
        IN_FORCE, Dataset.challenge_id == challenge.id, Dataset.phase == phase, Dataset.task == task
    )
    return session.scalar(query.with_for_update(read=True, key_share=True) if keep else query)


def tasks_in_force(
    session: Session, challenges: Sequence[Challenge]
) -> dict[ChallengeId, dict[str, set[str]]]:
    """By challenge and phase the tasks with cases that fit the challenge file, so that they can be submitted to."""
    by_id = {challenge.id: challenge for challenge in challenges}
    datasets = session.scalars(select(Dataset).where(IN_FORCE, Dataset.challenge_id.in_(by_id))).all()
    older = {dataset.fits_version_id for dataset in datasets} - {
        challenge.current_version_id for challenge in challenges
    }
    # Held while it is asked whether each fits, so that none is read twice.
    versions = session.scalars(select(SpecVersion).where(SpecVersion.id.in_(older))).all() if older else ()
    found: dict[ChallengeId, dict[str, set[str]]] = {challenge_id: {} for challenge_id in by_id}
    for dataset in datasets:
        if fits(session, dataset, by_id[dataset.challenge_id]):
            found[dataset.challenge_id].setdefault(dataset.phase, set()).add(dataset.task)
    del versions
    return found


def effect_of(session: Session, dataset: Dataset) -> Effect:
    """What happens if `dataset` comes into force."""
    challenge = session.get_one(Challenge, dataset.challenge_id)
    counts: Counter[tuple[bool, bool, EvaluationStatus]] = Counter()
    spending: Counter[tuple[bool, bool, EvaluationStatus]] = Counter()
    rows = session.execute(
        select(
            Dataset.id, Dataset.state, Evaluation.status, func.count(), func.count().filter(Evaluation.spends)
        )
        .join(Evaluation, Evaluation.dataset_id == Dataset.id)
        .where(Dataset.challenge_id == challenge.id)
        .where(Dataset.phase == dataset.phase, Dataset.task == dataset.task)
        .group_by(Dataset.id, Evaluation.status)
    )
    for evaluation_id, state, status, count, spend in rows:
        key = evaluation_id == dataset.id, state == DatasetState.ACTIVE, status
        counts[key] += count
        spending[key] += spend
    phase = challenge.spec.phases.get(dataset.phase)
    limited = phase is not None and phase.attempts.valid is not None
    leaving, coming = ((this, not this, EvaluationStatus.SCORED) for this in (False, True))
    return Effect(
        leave=counts[leaving],
        come_back=counts[coming],
        waiting=sum(counts[False, True, status] for status in ACTIVE),
        given_back=spending[leaving] if limited else 0,
        spent_again=spending[coming] if limited else 0,
        limited=limited,
    )


def changes_of(session: Session, dataset: Dataset, settings: Settings) -> Difference | None:
    """What it changes against the version in force.

    None where there is none, where it is this one, or where the references of both cannot be read here.
    """
    challenge = session.get_one(Challenge, dataset.challenge_id)
    old = in_force(session, challenge, dataset.phase, dataset.task)
    if old is None or old is dataset:
        return None
    before, after = settings.references / old.folder, settings.references / dataset.folder
    if not (before.is_dir() and after.is_dir()):
        return None
    return difference(old.cases, dataset.cases, old_references=before, new_references=after)
