"""What would be otherwise on boards than it is: told to whoever ranks them, and written nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, inspect, or_, select
from sqlalchemy.orm import Session

from contract.ids import DatasetId, EvaluationId, TeamId
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.evaluations.models import COUNTS, Evaluation
from server.teams.models import Team


@dataclass(frozen=True)
class Supposed:
    """What is supposed of a challenge; what is left out stays as it is.

    spec: the challenge file. datasets: the cases in force, by phase and task. swapped: by evaluation the one that
    stands in its place; it counts if it is scored, and from the moment that its own row says. without: evaluations
    that count no more. back: such as count again. teams: by team, columns of its row. merged: by team, the one that
    has its evaluations.
    """

    spec: Spec | None = None
    datasets: Mapping[tuple[str, str], DatasetId] = field(default_factory=dict)
    swapped: Mapping[EvaluationId, EvaluationId] = field(default_factory=dict)
    without: frozenset[EvaluationId] = frozenset()
    back: frozenset[EvaluationId] = frozenset()
    teams: Mapping[TeamId, Mapping[str, Any]] = field(default_factory=dict)
    merged: Mapping[TeamId, TeamId] = field(default_factory=dict)

    @property
    def counting(self) -> ColumnElement[bool]:
        """Which evaluations count."""
        gone, come = {*self.without, *self.swapped}, {*self.back, *self.swapped.values()}
        present = and_(COUNTS, Evaluation.id.not_in(gone)) if gone else COUNTS
        return or_(present, Evaluation.id.in_(come)) if come else present

    def teams_of(self, session: Session, challenge: Challenge) -> dict[TeamId, Team]:
        """The teams of a challenge; those of whom something is supposed are copies that belong to no session."""
        found = {
            team.id: team for team in session.scalars(select(Team).where(Team.challenge_id == challenge.id))
        }
        columns = [column.key for column in inspect(Team).column_attrs]
        for team_id, changes in self.teams.items():
            present = {key: getattr(found[team_id], key) for key in columns}
            found[team_id] = Team(**{**present, **changes})
        return found


AS_IT_IS = Supposed()
