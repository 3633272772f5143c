"""What happens to evaluations if another version of the cases comes into force."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStatus
from server.challenges.models import Challenge
from server.datasets.models import Dataset, DatasetState
from server.evaluations.models import COUNTS, Evaluation
from server.evaluations.status import ACTIVE
from server.words import counted


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
            back = f", and {_attempts(self.given_back)} given back" if self.limited else ""
            leave = counted(
                self.leave, "scored evaluation no longer counts", "scored evaluations no longer count"
            )
            parts.append(f"{leave}{back}")
        if self.come_back:
            spent = f", and {_attempts(self.spent_again)} spent again" if self.limited else ""
            again = counted(
                self.come_back, "scored evaluation counts again", "scored evaluations count again"
            )
            parts.append(f"{again}{spent}")
        if self.waiting:
            back = "; attempts are given back at their end" if self.limited else ""
            waiting = counted(
                self.waiting,
                "evaluation that waits or runs keeps the cases it has and will not count",
                "evaluations that wait or run keep the cases they have and will not count",
            )
            parts.append(f"{waiting}{back}")
        return "; ".join(parts) if parts else "no evaluation is concerned"


def _attempts(count: int) -> str:
    return counted(count, "attempt is", "attempts are")


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
        .where(COUNTS, Dataset.challenge_id == challenge.id)
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
