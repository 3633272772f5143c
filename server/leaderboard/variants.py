"""The places of a track under rules that differ in one point from the declared one."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from evaluator.comparison import rule_sensitivity
from evaluator.ranking import Table, installed
from server.challenges.models import Challenge
from server.challenges.service import frozen_since
from server.clock import now
from server.leaderboard import service
from server.leaderboard.bases import in_force


@dataclass(frozen=True)
class OtherRule:
    """A rule that differs in one point: `change` says in which, as a challenge file would. places: by team's name."""

    change: str
    places: Mapping[str, int]


def other_rules(
    session: Session, challenge: Challenge, phase: str, track: str, *, live: bool = False
) -> list[OtherRule]:
    """The places under each; of a frozen board as it was then, unless it is to be `live`. Empty: nobody is ranked."""
    until = None if live else frozen_since(challenge, phase, at=now(session))
    force = in_force(session, challenge, phase, until=until)
    spec, boards = force.spec, installed(force.spec.boards)
    counted = [
        attempt
        for attempt in service.attempts(session, challenge, phase, force).counted
        if attempt.track == track and attempt.board in boards
    ]
    rows = [
        row
        for row in service.rows(counted, with_cases=spec.ranking.needs_cases)
        if row.metric in boards[row.board].metrics
    ]
    table = Table.of(boards, rows)
    if not table.teams or not sum(spec.ranking.weights[name] for name in boards) > 0:
        return []
    names = {str(attempt.team.id): attempt.team.name for attempt in counted}
    return [
        OtherRule(
            variant.change,
            {names[team]: int(place) for team, place in zip(table.teams, variant.places, strict=True)},
        )
        for variant in rule_sensitivity(spec.ranking, table)
    ]
