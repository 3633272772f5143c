"""From scores to leaderboards."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid5

from sqlalchemy import Uuid, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from evaluator.ranking import Row, Standings, installed, rank
from evaluator.spec import Challenge as Spec
from server.accounts.principals import User
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, get_phase, is_sealed
from server.clock import now as now_of
from server.errors import Forbidden, NotFound
from server.evaluations.result_models import Score
from server.evaluations.ticks import shown_at
from server.leaderboard.bases import InForce
from server.leaderboard.choice import Chosen, chosen
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.values import MEASURED, Measured
from server.organizers.access import observes
from server.published.models import PublishedResults, PublishedTeam
from server.published.service import results_of
from server.teams.models import Team

_ALONE = "Published as a value alone: an interval is made of single cases, and these were not published."


@dataclass(frozen=True)
class PublishedRanks:
    """What was published of a team: its rank on the board, its mean rank and its place over all boards."""

    rank: float | None
    overall: float | None
    placement: int | None


@dataclass(frozen=True)
class Attempt:
    """What a team has on one board of a track, by metric.

    differs: why it is not of the base in force. bootstrap: how its cases were drawn, and the level of its intervals;
    None where that was not kept. draws: the version of how they were drawn; the first was not kept. published: where it
    is no evaluation, the ranks that were published of it.
    """

    team: Team
    track: str
    board: str
    submitted_at: datetime
    scored_at: datetime | None
    scores: Mapping[str, Score | Measured]
    bootstrap: Mapping[str, Any] | None = None
    draws: int = 1
    differs: tuple[str, ...] = ()
    evaluation: EvaluationId | None = None
    published: PublishedRanks | None = None

    @cached_property
    def team_id(self) -> str:
        """Its team's id, as everything that is made of a board names it."""
        return str(self.team.id)

    @cached_property
    def ranked(self) -> bool:
        """Whether its team is one of those that are ranked."""
        return not self.team.is_baseline and self.team.disqualified is None


@dataclass(frozen=True)
class Found:
    """What a phase has. otherwise: a team's latest evaluation of another base, unless one that counts came after it.

    published: the results in force where the phase shows published ones, and nothing else. hidden: the ids of teams
    that are on no board.
    """

    counted: list[Attempt]
    otherwise: list[Attempt]
    published: PublishedResults | None = None
    hidden: frozenset[str] = frozenset()


def require_visible(session: Session, challenge: Challenge, phase: str, viewer: User | None) -> None:
    """Raises unless the phase has a board that `viewer` may see; a sealed one is for organizers until released."""
    if get_phase(challenge.spec, phase).board == "none":
        raise NotFound(ErrorCode.NO_BOARD, f"Phase {phase!r} has no leaderboard.")
    if is_sealed(challenge, phase) and (viewer is None or not observes(session, viewer, challenge)):
        raise Forbidden(
            ErrorCode.BOARD_SEALED,
            f"The leaderboard of phase {phase!r} is sealed until the organizers release it.",
        )


def sees_live(session: Session, challenge: Challenge, phase: str, viewer: User | None) -> bool:
    """Whether `viewer`, who may see the board, sees it otherwise than everybody: while it is sealed, or frozen."""
    frozen = frozen_since(challenge, phase, at=now_of(session)) and observes(session, viewer, challenge)
    return is_sealed(challenge, phase) or bool(frozen)


def attempts(
    session: Session,
    challenge: Challenge,
    phase: str,
    now: InForce,
    *,
    shown: bool = True,
    supposed: Supposed = AS_IT_IS,
    with_scores: bool = True,
) -> Found:
    """What counts in `phase`: per team, track and board the latest or best evaluation of the base in force.

    shown: of a hidden phase only of what its teams have seen the end of. with_scores: else which evaluations these
    are, and nothing of them. A phase with published results has nothing else.
    """
    if (results := results_of(session, challenge.id, phase)) is not None:
        return Found(_published(results), [], results)
    teams = supposed.teams_of(session, challenge)
    listed = [
        choice
        for choice in chosen(session, challenge, phase, now, shown=shown, supposed=supposed)
        if not teams[choice.evaluation.team_id].hidden
    ]
    scores = _scores(session, listed, with_cases=now.spec.ranking.needs_cases) if with_scores else {}
    found = Found([], [], hidden=frozenset(str(key) for key, team in teams.items() if team.hidden))
    hidden = now.spec.phases[phase].hidden
    for choice in listed:
        own = scores.get((choice.evaluation.id, choice.board), {})
        attempt = _attempt(choice, teams[choice.evaluation.team_id], own, hidden=hidden)
        (found.otherwise if choice.differs else found.counted).append(attempt)
    return found


def _scores(
    session: Session, shown: Iterable[Chosen], *, with_cases: bool
) -> Mapping[tuple[EvaluationId, str], Mapping[str, Measured]]:
    """The scores of what is shown, by evaluation and board; of everything else none is loaded."""
    ids = list({choice.evaluation.id for choice in shown})
    columns = (*MEASURED, Score.per_case) if with_cases else MEASURED
    query = select(*columns).where(Score.evaluation_id == any_(literal(ids, ARRAY(Uuid))))
    found: dict[tuple[EvaluationId, str], dict[str, Measured]] = defaultdict(dict)
    for score in (Measured(*row) for row in session.execute(query)):
        found[score.evaluation_id, score.board][score.metric] = score
    return found


def _attempt(one: Chosen, team: Team, scores: Mapping[str, Measured], *, hidden: bool) -> Attempt:
    ended = one.evaluation.finished_at
    if hidden and ended is not None:
        ended = shown_at(one.evaluation.created_at, ended)
    base = one.evaluation.scored_with(one.board) or {}
    return Attempt(
        team=team,
        track=one.evaluation.track,
        board=one.board,
        submitted_at=one.evaluation.created_at,
        scored_at=_to_the_minute(ended),
        scores=scores,
        bootstrap=base.get("bootstrap"),
        draws=base.get("draws", 1),
        differs=one.differs,
        evaluation=one.evaluation.id,
    )


def _published(results: PublishedResults) -> list[Attempt]:
    """Published results as boards show them. Their teams and scores belong to no session: there are no such rows."""
    return [
        Attempt(
            team=_published_team(results, team),
            track=team.track,
            board=board,
            submitted_at=results.created_at,
            scored_at=None,
            scores={metric: _published_score(board, metric, value) for metric, value in found.values.items()},
            published=PublishedRanks(found.rank, team.overall, team.placement),
        )
        for team in results.content.teams
        for board, found in team.boards.items()
    ]


def _published_team(results: PublishedResults, team: PublishedTeam) -> Team:
    return Team(
        id=uuid5(results.challenge_id, team.team),
        challenge_id=results.challenge_id,
        name=team.team,
        eligible=team.eligible,
        disclaimer=team.disclaimer,
        is_baseline=team.baseline,
        hidden=False,
    )


def _published_score(board: str, metric: str, value: float | None) -> Score:
    if value is None:
        return Score(board=board, metric=metric, value=None, reason="It was published without a value.")
    return Score(board=board, metric=metric, value=value, note=_ALONE)


def _to_the_minute(at: datetime | None) -> datetime | None:
    """When an evaluation ended depends on its containers, and on a hidden phase these shall not tell anything by it."""
    return None if at is None else at.replace(second=0, microsecond=0)


def rows(found: Iterable[Attempt], *, with_cases: bool = False) -> list[Row]:
    """The scores as the evaluator ranks them; teams go by their id, which no renaming changes.

    Who is disqualified is shown as a baseline is: with values, without a rank, moving nobody.
    """
    return [
        Row(
            team=team,
            track=attempt.track,
            board=attempt.board,
            metric=metric,
            value=score.value,
            is_baseline=not ranked,
            eligible=eligible,
            per_case=score.per_case if with_cases else None,
        )
        for attempt in found
        # Asked once for an entry: a large board has thousands.
        for team, ranked, eligible in ((attempt.team_id, attempt.ranked, attempt.team.eligible),)
        for metric, score in attempt.scores.items()
    ]


def standings(spec: Spec, found: Iterable[Attempt]) -> Standings:
    """Places within each track, by the metrics that are installed."""
    boards = installed(spec.boards)
    if not sum(spec.ranking.weights[name] for name in boards) > 0:
        return Standings({})
    metrics = {(name, key) for name, board in boards.items() for key in board.metrics}
    scored = rows(found, with_cases=spec.ranking.needs_cases)
    scored = [row for row in scored if (row.board, row.metric) in metrics]
    return rank(spec.ranking, boards, scored)
