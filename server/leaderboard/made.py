"""What is made of a phase's leaderboards: places at once, and what single boards list when somebody asks for it.

A large phase has thousands of entries. The page of all boards shows none of them, and is what most people open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from contract.certainty import CertaintyOut
from contract.ids import EvaluationId
from contract.intervals import BootstrapOut
from contract.leaderboard import (
    BoardHead,
    BoardOut,
    EntryOut,
    LeaderboardHead,
    LeaderboardOut,
    MetricOut,
    OtherwiseOut,
    PlacesOut,
    TrackOut,
    UnifiedOut,
)
from evaluator.comparison import CertainPlaces, TeamPlace
from evaluator.ranking import Standing, direction_of
from evaluator.spec import Challenge as Spec
from evaluator.spec import Metric
from server.leaderboard.checkpoints import OfTeams, mark_of
from server.leaderboard.service import Attempt
from server.leaderboard.values import value_out


@dataclass(frozen=True)
class Shown:
    """What is shown of a track. marks, standings and certain go by the teams' ids, attempts by team and board.

    held: the checkpoints of counting images, by the teams' ids and by task; of nobody where they are not asked for.
    Nothing of it asks the database any more.
    """

    name: str
    spec: Spec
    decimals: int
    cases: Mapping[str, int]
    marks: Mapping[str, Mapping[str, Any]]
    standings: Sequence[Standing]
    attempts: Mapping[tuple[str, str], Attempt]
    otherwise: Sequence[Attempt]
    certain: CertainPlaces | None
    published: bool
    held: OfTeams = field(default_factory=dict)


@dataclass(frozen=True)
class MadeBoard:
    """One board of a track. count: of its entries. otherwise: how many have values of another base."""

    head: BoardHead
    count: int
    otherwise: int
    shown: Shown

    @cached_property
    def out(self) -> BoardOut:
        """With its entries."""
        track, name = self.shown, self.head.board
        certain = () if track.certain is None else track.certain.boards.get(name, ())
        sure = places_out(certain)
        listed = [standing for standing in track.standings if (standing.team, name) in track.attempts]
        listed.sort(key=lambda standing: order(track, standing, standing.task_ranks.get(name)))
        return BoardOut.of(
            self.head,
            entries=[
                _entry(track, standing, track.attempts[standing.team, name], sure.get(standing.team))
                for standing in listed
            ],
            otherwise=[
                _otherwise(track, entry)
                for entry in sorted(track.otherwise, key=lambda entry: track.marks[entry.team_id]["team"])
                if entry.board == name
            ],
        )


@dataclass(frozen=True)
class MadeTrack:
    """One track: places over all boards, and what is known of its boards. evaluations: those that it shows.

    held: the checkpoints of counting images, by the teams' names and by task.
    """

    track: str
    unified: list[UnifiedOut]
    boards: list[MadeBoard]
    certainty: CertaintyOut | None
    certainty_pending: bool
    evaluations: list[EvaluationId]
    held: OfTeams = field(default_factory=dict)

    @property
    def heads(self) -> list[BoardHead]:
        """What its boards are."""
        return [board.head for board in self.boards]

    @cached_property
    def out(self) -> TrackOut:
        """With the entries of all boards."""
        return TrackOut.of(self, boards=[board.out for board in self.boards])


@dataclass(frozen=True)
class MadeBoards:
    """All leaderboards of a phase."""

    head: LeaderboardHead
    tracks: list[MadeTrack]

    @cached_property
    def out(self) -> LeaderboardOut:
        """With all entries."""
        return LeaderboardOut.of(self.head, tracks=[track.out for track in self.tracks])


def made_track(track: Shown, certainty: CertaintyOut | None, *, pending: bool) -> MadeTrack:
    """A track with its places."""
    names = list(track.spec.boards)
    sure = places_out(() if track.certain is None else track.certain.overall)
    return MadeTrack(
        track=track.name,
        unified=[
            UnifiedOut(
                **{**track.marks[standing.team], "first": standing.first},
                placement=standing.placement,
                eligible_placement=standing.eligible_placement,
                prize=standing.prize,
                overall=standing.overall,
                board_ranks={name: standing.task_ranks.get(name) for name in names},
                missing=[name for name in names if (standing.team, name) not in track.attempts],
                places=sure.get(standing.team),
                checkpoint=mark_of(track.held.get(standing.team, {}).values()),
                **_published_ranks(track, standing.team),
            )
            for standing in sorted(
                track.standings, key=lambda standing: order(track, standing, standing.placement)
            )
        ],
        boards=[_board(track, name) for name in names],
        certainty=certainty,
        certainty_pending=pending,
        evaluations=[one.evaluation for one in track.attempts.values() if one.evaluation is not None],
        held={track.marks[key]["team"]: tasks for key, tasks in track.held.items()},
    )


def _published_ranks(track: Shown, team: str) -> dict[str, Any]:
    """The place and the mean rank that were published of a team."""
    boards = track.spec.boards if track.published else ()  # elsewhere there is nothing to look for
    found = (track.attempts.get((team, name)) for name in boards)
    ranks = next((attempt.published for attempt in found if attempt is not None), None)
    return {
        "published_placement": None if ranks is None else ranks.placement,
        "published_overall": None if ranks is None else ranks.overall,
    }


def places_out(places: Iterable[TeamPlace]) -> dict[str, PlacesOut]:
    """By team, the places that cannot be excluded, where they are known."""
    return {place.team: PlacesOut.model_validate(place) for place in places if place.low is not None}


def _board(track: Shown, name: str) -> MadeBoard:
    board = track.spec.boards[name]
    listed = [
        attempt
        for standing in track.standings
        if (attempt := track.attempts.get((standing.team, name))) is not None
    ]
    head = BoardHead(
        board=name,
        title=board.title,
        weight=track.spec.ranking.weights[name],
        cases=None if track.published else track.cases.get(board.task, 0),
        last_scored=latest(listed),
        bootstrap=None if track.published else BootstrapOut.model_validate(board.bootstrap),
        metrics=[_metric(key, metric) for key, metric in board.metrics.items()],
    )
    return MadeBoard(head, len(listed), sum(entry.board == name for entry in track.otherwise), track)


def latest(attempts: Iterable[Attempt]) -> datetime | None:
    """When the last of them was scored."""
    return max((attempt.scored_at for attempt in attempts if attempt.scored_at is not None), default=None)


def order(track: Shown, standing: Standing, rank: float | None) -> tuple[bool, bool, float, str]:
    """Ranked teams by rank and name, then baselines, then who is disqualified."""
    marks = track.marks[standing.team]
    return marks["disqualified"], standing.baseline, rank or 0, marks["team"]


def _metric(key: str, metric: Metric) -> MetricOut:
    better = direction_of(metric)
    reason = (
        None if better else f"The metric {metric.metric} is not installed on this server; it is not ranked."
    )
    return MetricOut(name=key, title=metric.title or key, better=better, reason=reason)


def _entry(track: Shown, standing: Standing, attempt: Attempt, places: PlacesOut | None) -> EntryOut:
    ranks = standing.metric_ranks.get(attempt.board, {})
    return EntryOut(
        **{**track.marks[standing.team], "first": attempt.board in standing.first_on},
        **_values(track, attempt, ranks),
        rank=standing.task_ranks.get(attempt.board),
        places=places,
        published_rank=None if attempt.published is None else attempt.published.rank,
    )


def _otherwise(track: Shown, attempt: Attempt) -> OtherwiseOut:
    drawn = attempt.bootstrap
    return OtherwiseOut(
        **track.marks[attempt.team_id],
        **_values(track, attempt, {}),
        differs=list(attempt.differs),
        bootstrap=None if drawn is None else BootstrapOut.model_validate(drawn),
    )


def _values(track: Shown, attempt: Attempt, ranks: Mapping[str, float | None]) -> dict[str, Any]:
    """What the team has, with its rank per metric, and since when."""
    return {
        "metrics": {
            metric: value_out(attempt.scores.get(metric), ranks.get(metric), track.decimals)
            for metric in track.spec.boards[attempt.board].metrics
        },
        "submitted_at": attempt.submitted_at,
        "scored_at": attempt.scored_at,
    }
