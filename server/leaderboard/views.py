"""Leaderboards as they are published: values rounded to the phase's decimals, ranks from full precision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from contract.intervals import BootstrapOut
from contract.leaderboard import (
    BoardOut,
    EntryOut,
    LeaderboardOut,
    MetricOut,
    OtherwiseOut,
    PlacesOut,
    TrackOut,
    UnifiedOut,
)
from evaluator.comparison import CertainPlaces, TeamPlace, awarded
from evaluator.ranking import Standing, direction_of
from evaluator.spec import Challenge as Spec
from evaluator.spec import Metric
from server.challenges.models import Challenge
from server.challenges.service import frozen_since
from server.clock import now as now_of
from server.leaderboard import release, service
from server.leaderboard.bases import case_counts, digests_of, in_force
from server.leaderboard.certain_out import certainty_out
from server.leaderboard.certainty import Known, known, worked_out
from server.leaderboard.published import published_out
from server.leaderboard.service import Attempt, Found
from server.leaderboard.values import value_out
from server.teams.models import Team


@dataclass(frozen=True)
class _Track:
    """What is shown of a track. teams, standings and certain go by the teams' ids, attempts by team and board."""

    name: str
    spec: Spec
    decimals: int
    cases: Mapping[str, int]
    teams: Mapping[str, Team]
    marks: Mapping[str, Mapping[str, Any]]
    standings: Sequence[Standing]
    attempts: Mapping[tuple[str, str], Attempt]
    otherwise: Sequence[Attempt]
    certain: CertainPlaces | None
    pending: bool
    published: bool


def leaderboard_out(
    session: Session, challenge: Challenge, phase: str, *, live: bool = False, wait: bool = False
) -> LeaderboardOut:
    """Every leaderboard of one phase; one that is frozen as it was then, unless it is to be `live`.

    How sure places are is shown as far as it is kept; `wait`: what is not kept yet is worked out first, which may take
    seconds.
    """
    spec, at = challenge.spec, now_of(session)
    current = spec.phases[phase]
    frozen = frozen_since(challenge, phase, at=at)
    force = in_force(session, challenge, phase, until=None if live else frozen)
    found = service.attempts(session, challenge, phase, force)
    cases = case_counts(session, force)
    sure = (
        worked_out(session, spec, found.counted, digests=digests_of(session, force), cases=cases)
        if wait
        else known(session, spec, found.counted)
    )
    tracks = tracks_out(spec, found, decimals=current.decimals, cases=cases, sure=sure)
    return LeaderboardOut(
        challenge=challenge.slug,
        title=spec.title,
        phase=phase,
        phase_title=current.title,
        at=at,
        opens=current.opens,
        closes=current.closes,
        open=current.is_open(at),
        freezes=current.freezes if phase not in challenge.released else None,
        frozen=force.until is not None,
        last_scored=_latest(found.counted),
        released_early=release.reason_of(session, challenge, phase),
        published=published_out(found.published, tracks),
        version=spec.digest,
        decimals=current.decimals,
        prizes=list(spec.ranking.prizes_of_places),
        tracks=tracks,
    )


def tracks_out(
    spec: Spec,
    found: Found,
    *,
    decimals: int,
    cases: Mapping[str, int],
    sure: Known | None = None,
) -> list[TrackOut]:
    """The leaderboards of every track, from what its teams have.

    Args:
        spec: the version in force.
        found: what the teams have.
        decimals: of the values.
        cases: how many are in force, by task.
        sure: how sure the places are, as far as it is known.
    """
    standings = service.standings(spec, found.counted).tracks
    sure = sure or Known({})
    tracks = []
    for name in spec.tracks:
        counted = [attempt for attempt in found.counted if attempt.track == name]
        otherwise = [attempt for attempt in found.otherwise if attempt.track == name]
        teams = {attempt.team_id: attempt.team for attempt in (*counted, *otherwise)}
        track = _Track(
            name=name,
            spec=spec,
            decimals=decimals,
            cases=cases,
            teams=teams,
            marks={key: _marks(team) for key, team in teams.items()},
            standings=awarded(standings.get(name, ()), sure.certain.get(name)),
            attempts={(attempt.team_id, attempt.board): attempt for attempt in counted},
            otherwise=otherwise,
            certain=sure.certain.get(name),
            pending=name in sure.pending,
            published=found.published is not None,
        )
        tracks.append(_track(track))
    return tracks


def _track(track: _Track) -> TrackOut:
    sure = _places({} if track.certain is None else {place.team: place for place in track.certain.overall})
    return TrackOut(
        track=track.name,
        unified=[
            UnifiedOut(
                **{**track.marks[standing.team], "first": standing.first},
                placement=standing.placement,
                eligible_placement=standing.eligible_placement,
                prize=standing.prize,
                overall=standing.overall,
                board_ranks={name: standing.task_ranks.get(name) for name in track.spec.boards},
                missing=[name for name in track.spec.boards if (standing.team, name) not in track.attempts],
                places=sure.get(standing.team),
                **_published_ranks(track, standing.team),
            )
            for standing in sorted(
                track.standings, key=lambda standing: _order(track, standing, standing.placement)
            )
        ],
        boards=[_board(track, name) for name in track.spec.boards],
        certainty=None if track.certain is None else certainty_out(track.certain, _names(track)),
        certainty_pending=track.pending,
    )


def _published_ranks(track: _Track, team: str) -> dict[str, Any]:
    """The place and the mean rank that were published of a team."""
    found = (track.attempts.get((team, name)) for name in track.spec.boards)
    ranks = next((attempt.published for attempt in found if attempt is not None), None)
    return {
        "published_placement": None if ranks is None else ranks.placement,
        "published_overall": None if ranks is None else ranks.overall,
    }


def _places(places: Mapping[str, TeamPlace]) -> dict[str, PlacesOut]:
    """By team, the places that cannot be excluded, where they are known."""
    return {team: PlacesOut.model_validate(place) for team, place in places.items() if place.low is not None}


def _names(track: _Track) -> dict[str, str]:
    return {key: team.name for key, team in track.teams.items()}


def _marks(team: Team) -> dict[str, Any]:
    return {
        "team": team.name,
        "baseline": team.is_baseline,
        "eligible": team.eligible,
        "disqualified": team.disqualified is not None,
        "disclaimer": team.disclaimer,
        "first": False,
    }


def _board(track: _Track, name: str) -> BoardOut:
    board = track.spec.boards[name]
    listed = [standing for standing in track.standings if (standing.team, name) in track.attempts]
    certain = () if track.certain is None else track.certain.boards.get(name, ())
    sure = _places({place.team: place for place in certain})
    return BoardOut(
        board=name,
        title=board.title,
        weight=track.spec.ranking.weights[name],
        cases=None if track.published else track.cases.get(board.task, 0),
        last_scored=_latest(track.attempts[standing.team, name] for standing in listed),
        bootstrap=None if track.published else BootstrapOut.model_validate(board.bootstrap),
        metrics=[_metric(key, metric) for key, metric in board.metrics.items()],
        entries=[
            _entry(track, standing, track.attempts[standing.team, name], sure.get(standing.team))
            for standing in sorted(
                listed, key=lambda standing: _order(track, standing, standing.task_ranks.get(name))
            )
        ],
        otherwise=[
            _otherwise(track, entry)
            for entry in sorted(track.otherwise, key=lambda entry: entry.team.name)
            if entry.board == name
        ],
    )


def _order(track: _Track, standing: Standing, rank: float | None) -> tuple[bool, bool, float, str]:
    """Ranked teams by rank and name, then baselines, then who is disqualified."""
    marks = track.marks[standing.team]
    return marks["disqualified"], standing.baseline, rank or 0, marks["team"]


def _latest(attempts: Iterable[Attempt]) -> datetime | None:
    return max((attempt.scored_at for attempt in attempts if attempt.scored_at is not None), default=None)


def _metric(key: str, metric: Metric) -> MetricOut:
    better = direction_of(metric)
    reason = (
        None if better else f"The metric {metric.metric} is not installed on this server; it is not ranked."
    )
    return MetricOut(name=key, title=metric.title or key, better=better, reason=reason)


def _entry(track: _Track, standing: Standing, attempt: Attempt, places: PlacesOut | None) -> EntryOut:
    ranks = standing.metric_ranks.get(attempt.board, {})
    return EntryOut(
        **{**track.marks[standing.team], "first": attempt.board in standing.first_on},
        **_values(track, attempt, ranks),
        rank=standing.task_ranks.get(attempt.board),
        places=places,
        published_rank=None if attempt.published is None else attempt.published.rank,
    )


def _otherwise(track: _Track, attempt: Attempt) -> OtherwiseOut:
    drawn = attempt.bootstrap
    return OtherwiseOut(
        **track.marks[attempt.team_id],
        **_values(track, attempt, {}),
        differs=list(attempt.differs),
        bootstrap=None if drawn is None else BootstrapOut.model_validate(drawn),
    )


def _values(track: _Track, attempt: Attempt, ranks: Mapping[str, float | None]) -> dict[str, Any]:
    """What the team has, with its rank per metric, and since when."""
    return {
        "metrics": {
            metric: value_out(attempt.scores.get(metric), ranks.get(metric), track.decimals)
            for metric in track.spec.boards[attempt.board].metrics
        },
        "submitted_at": attempt.submitted_at,
        "scored_at": attempt.scored_at,
    }
