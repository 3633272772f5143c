"""What the checks look at, and the three ways to say what was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.phases import CheckState
from contract.readiness import ReadinessCheck
from evaluator.spec import Challenge as Spec
from evaluator.spec import Phase
from server.challenges.models import Challenge
from server.datasets.models import IN_FORCE, Dataset
from server.settings import Settings
from server.teams.models import Team


@dataclass(frozen=True)
class World:
    """A challenge at a moment. phases: those that are looked at; `asked`: somebody named the one of them.

    with_labels: whether references are read, every one of them. apart: how far the database's clock, which says `at`,
    is from this machine's.
    """

    session: Session
    settings: Settings
    challenge: Challenge
    phases: Mapping[str, Phase]
    at: datetime
    with_labels: bool = True
    apart: timedelta = timedelta(0)
    asked: bool = False

    @property
    def spec(self) -> Spec:
        """The present version of the challenge's file."""
        return self.challenge.spec

    @property
    def ranked(self) -> dict[str, Phase]:
        """The phases of hidden cases that have a board: what they decide, somebody may contest."""
        return {name: phase for name, phase in self.phases.items() if phase.hidden and phase.board != "none"}

    @cached_property
    def cases(self) -> dict[tuple[str, str], Dataset]:
        """The versions of the cases that are in force, by phase and task."""
        query = select(Dataset).where(IN_FORCE, Dataset.challenge_id == self.challenge.id)
        return {(dataset.phase, dataset.task): dataset for dataset in self.session.scalars(query)}

    @cached_property
    def teams(self) -> int:
        """How many there are; one at least, for nobody has come before a challenge opens."""
        query = select(func.count()).where(Team.challenge_id == self.challenge.id)
        return max(1, self.session.scalar(query) or 0)


def fine(code: str, found: str, *, phase: str | None = None, task: str | None = None) -> ReadinessCheck:
    """All is well."""
    return ReadinessCheck(code=code, state=CheckState.OK, phase=phase, task=task, found=found, todo="")


def doubtful(
    code: str, found: str, todo: str, *, phase: str | None = None, task: str | None = None
) -> ReadinessCheck:
    """Somebody should look."""
    return ReadinessCheck(code=code, state=CheckState.WARNING, phase=phase, task=task, found=found, todo=todo)


def wrong(
    code: str, found: str, todo: str, *, phase: str | None = None, task: str | None = None
) -> ReadinessCheck:
    """It must not open like this."""
    return ReadinessCheck(code=code, state=CheckState.ERROR, phase=phase, task=task, found=found, todo=todo)
