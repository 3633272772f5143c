"""From scores to leaderboards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import uuid5

from sqlalchemy.orm import Session

from contract.ids import EvaluationId
from contract.problems import ErrorCode
from evaluator.ranking import Row, Standing, installed, rank, rank_track
from evaluator.spec import Board
from evaluator.spec import Challenge as Spec
from server.accounts.principals import User
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, get_phase, is_sealed
from server.clock import now as now_of
from server.errors import Forbidden, NotFound
from server.evaluations.result_models import Score
from server.evaluations.ticks import shown_at
from server.leaderboard.bases import InForce
from server.leaderboard.checkpoints import Held
from server.leaderboard.choice import Chosen, chosen
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.values import NOTHING_READ, Measured, Read, read_of
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
class Who:
    """A team, with what is asked of it for each of its entries: a large board has thousands of them."""

    team: Team

    @cached_property
    def key(self) -> str:
        """Its id, as everything that is made of a board names it."""
        return str(self.team.id)

    @cached_property
    def ranked(self) -> bool:
        """Whether it is one of those that are ranked."""
        return not self.team.is_baseline and self.team.disqualified is None

    @cached_property
    def eligible(self) -> bool:
        """Whether it may win a prize."""
        return self.team.eligible


class Attempt(NamedTuple):
    """What a team has on one board of a track, by metric. A tuple, for a large board has thousands.

    differs: why it is not of the base in force. bootstrap: how its cases were drawn, and the level of its intervals;
    None where that was not kept. draws: the version of how they were drawn; the first was not kept. published: where it
    is no evaluation, the ranks that were published of it. checkpoint: of its image; None where the challenge does not
    ask for one, or it was not read.
    """

    who: Who
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
    checkpoint: Held | None = None

    @property
    def team(self) -> Team:
        """Whose it is."""
        return self.who.team

    @property
    def team_id(self) -> str:
        """The key of whose it is."""
        return self.who.key


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
    hidden = {key.int for key, team in teams.items() if team.hidden}
    listed = [
        choice
        for choice in chosen(session, challenge, phase, now, shown=shown, supposed=supposed)
        if choice.evaluation.team_id.int not in hidden
    ]
    read = read_of(session, now.spec, (one.evaluation.id for one in listed)) if with_scores else {}
    found = Found([], [], hidden=frozenset(str(key) for key, team in teams.items() if team.hidden))
    everybody = {key.int: Who(team) for key, team in teams.items()}
    held_back = now.spec.phases[phase].hidden
    for choice in listed:
        own = read.get(choice.evaluation.id.int, NOTHING_READ)
        attempt = _attempt(choice, everybody[choice.evaluation.team_id.int], own, hidden=held_back)
        (found.otherwise if choice.differs else found.counted).append(attempt)
    return found


def _attempt(one: Chosen, who: Who, read: Read, *, hidden: bool) -> Attempt:
    ended = one.evaluation.finished_at
    if hidden and ended is not None:
        ended = shown_at(one.evaluation.created_at, ended)
    base = one.evaluation.scored_with(one.board) or {}
    return Attempt(
        who=who,
        track=one.evaluation.track,
        board=one.board,
        submitted_at=one.evaluation.created_at,
        scored_at=_to_the_minute(ended),
        scores=read.scores.get(one.board, {}),
        bootstrap=base.get("bootstrap"),
        draws=base.get("draws", 1),
        differs=one.differs,
        evaluation=one.evaluation.id,
        checkpoint=read.checkpoint,
    )


def _published(results: PublishedResults) -> list[Attempt]:
    """Published results as boards show them. Their teams and scores belong to no session: there are no such rows."""
    return [
        Attempt(
            who=who,
            track=team.track,
            board=board,
            submitted_at=results.created_at,
            scored_at=None,
            scores={metric: _published_score(board, metric, value) for metric, value in found.values.items()},
            published=PublishedRanks(found.rank, team.overall, team.placement),
        )
        for team in results.content.teams
        for who in (Who(_published_team(results, team)),)
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


def standings(spec: Spec, found: Iterable[Attempt]) -> Mapping[str, Sequence[Standing]]:
    """Places within each track, by the metrics that are installed; teams go by their id, which no renaming changes.

    Who is disqualified is shown as a baseline is: with values, without a rank, moving nobody.
    """
    boards = installed(spec.boards)
    if not sum(spec.ranking.weights[name] for name in boards) > 0:
        return {}
    counted = [attempt for attempt in found if attempt.board in boards]
    if spec.ranking.needs_cases:
        return rank(spec.ranking, boards, _rows(boards, counted)).tracks
    tracks: dict[str, list[Attempt]] = {}
    for attempt in counted:
        tracks.setdefault(attempt.track, []).append(attempt)
    return {track: _places(spec, boards, mine) for track, mine in tracks.items()}


def _places(spec: Spec, boards: Mapping[str, Board], mine: Sequence[Attempt]) -> Sequence[Standing]:
    metrics = {name: board.metrics.keys() for name, board in boards.items()}
    values: dict[str, dict[str, dict[str, float | None]]] = {}
    for attempt in mine:
        known, scores = metrics[attempt.board], attempt.scores.items()
        own = {metric: score.value for metric, score in scores if metric in known}
        values.setdefault(attempt.who.key, {})[attempt.board] = own
    everybody = {attempt.who.key: attempt.who for attempt in mine}.values()
    return rank_track(
        spec.ranking,
        boards,
        values,
        baselines={who.key for who in everybody if not who.ranked},
        ineligible={who.key for who in everybody if not who.eligible},
    )


def _rows(boards: Mapping[str, Board], found: Iterable[Attempt]) -> list[Row]:
    """The scores with the values of single cases, for a rule over these."""
    return [
        Row(
            team=attempt.who.key,
            track=attempt.track,
            board=attempt.board,
            metric=metric,
            value=score.value,
            is_baseline=not attempt.who.ranked,
            eligible=attempt.who.eligible,
            per_case=score.per_case,
        )
        for attempt in found
        for metric, score in attempt.scores.items()
        if metric in boards[attempt.board].metrics
    ]
