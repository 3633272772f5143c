"""Leaderboards as they are published: values rounded to the phase's decimals, ranks from full precision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from contract.leaderboard import (
    BoardOut,
    EntryOut,
    LeaderboardOut,
    MetricOut,
    OtherwiseOut,
    TrackOut,
    UnifiedOut,
)
from evaluator.ranking import Standing
from evaluator.spec import Challenge as Spec
from evaluator.spec import Metric
from server.challenges.models import Challenge
from server.clock import now as now_of
from server.leaderboard import release, service
from server.leaderboard.bases import case_counts, in_force
from server.leaderboard.choice import direction
from server.leaderboard.service import Entry, Found
from server.leaderboard.values import value_out
from server.teams.models import Team


@dataclass(frozen=True)
class _Track:
    """What is shown of a track. teams and standings go by the teams' ids, entries by team and board."""

    name: str
    spec: Spec
    decimals: int
    cases: Mapping[str, int]
    teams: Mapping[UUID, Team]
    standings: Sequence[Standing]
    entries: Mapping[tuple[str, str], Entry]
    otherwise: Sequence[Entry]


def leaderboard_out(session: Session, challenge: Challenge, phase: str) -> LeaderboardOut:
    """Every leaderboard of one phase."""
    spec, at = challenge.spec, now_of(session)
    current = spec.phases[phase]
    force = in_force(session, challenge, phase)
    found = service.entries(session, challenge, phase, force)
    standings = service.standings(spec, found.counted)
    cases = case_counts(session, force)
    tracks = [
        _of_track(name, spec, current.decimals, cases, found, standings.tracks.get(name, ()))
        for name in spec.tracks
    ]
    return LeaderboardOut(
        challenge=challenge.slug,
        title=spec.title,
        phase=phase,
        phase_title=current.title,
        at=at,
        opens=current.opens,
        closes=current.closes,
        open=current.is_open(at),
        last_scored=_latest(found.counted),
        released_early=release.reason_of(session, challenge, phase),
        version=spec.digest,
        decimals=current.decimals,
        prizes=list(spec.ranking.prizes),
        tracks=[_track(one) for one in tracks],
    )


def _of_track(
    name: str,
    spec: Spec,
    decimals: int,
    cases: Mapping[str, int],
    found: Found,
    standings: Sequence[Standing],
) -> _Track:
    counted = [one for one in found.counted if one.track == name]
    otherwise = [one for one in found.otherwise if one.track == name]
    return _Track(
        name=name,
        spec=spec,
        decimals=decimals,
        cases=cases,
        teams={one.team.id: one.team for one in (*counted, *otherwise)},
        standings=standings,
        entries={(str(one.team.id), one.board): one for one in counted},
        otherwise=otherwise,
    )


def _track(track: _Track) -> TrackOut:
    prizes = _prizes(track.standings)
    leaders = _leaders({one.team: one.placement for one in track.standings}, track)
    return TrackOut(
        track=track.name,
        unified=[
            UnifiedOut(
                **_marks(_team(track, one), first=one.team in leaders),
                placement=one.placement,
                prize=prizes.get(one.team),
                wins=one.prize,
                overall=one.overall,
                board_ranks={name: one.task_ranks.get(name) for name in track.spec.boards},
                missing=[name for name in track.spec.boards if (one.team, name) not in track.entries],
            )
            for one in sorted(track.standings, key=lambda one: _order(track, one, one.placement))
        ],
        boards=[_board(track, name) for name in track.spec.boards],
    )


def _team(track: _Track, standing: Standing) -> Team:
    return track.teams[UUID(standing.team)]


def _marks(team: Team, *, first: bool = False) -> dict[str, Any]:
    return {
        "team": team.name,
        "baseline": team.is_baseline,
        "eligible": team.eligible,
        "disqualified": team.disqualified is not None,
        "disclaimer": team.disclaimer,
        "first": first,
    }


def _prizes(standings: Sequence[Standing]) -> dict[str, int]:
    """Places among eligible teams only: an ineligible one is ranked and skipped; equal placements stay equal."""
    eligible = [one for one in standings if one.eligible and one.placement is not None]
    better = {
        one.team: sum((other.placement or 0) < (one.placement or 0) for other in eligible) for one in eligible
    }
    return {team: count + 1 for team, count in better.items()}


def _leaders(ranks: Mapping[str, float | None], track: _Track) -> frozenset[str]:
    """The teams with the best rank if all of them may win, else none: a tie is shown whole or not at all."""
    known = {team: rank for team, rank in ranks.items() if rank is not None}
    best = min(known.values(), default=None)
    first = [team for team, rank in known.items() if rank == best]
    return frozenset(first if all(track.teams[UUID(one)].eligible for one in first) else ())


def _board(track: _Track, name: str) -> BoardOut:
    board = track.spec.boards[name]
    listed = [one for one in track.standings if (one.team, name) in track.entries]
    leaders = _leaders({one.team: one.task_ranks.get(name) for one in listed}, track)
    entries = [track.entries[one.team, name] for one in listed]
    return BoardOut(
        board=name,
        title=board.title,
        weight=track.spec.ranking.weights[name],
        cases=track.cases.get(board.task, 0),
        last_scored=_latest(entries),
        metrics=[_metric(key, metric) for key, metric in board.metrics.items()],
        entries=[
            _entry(track, one, track.entries[one.team, name], first=one.team in leaders)
            for one in sorted(listed, key=lambda one: _order(track, one, one.task_ranks.get(name)))
        ],
        otherwise=[
            _otherwise(track, one)
            for one in sorted(track.otherwise, key=lambda one: one.team.name)
            if one.board == name
        ],
    )


def _order(track: _Track, standing: Standing, rank: float | None) -> tuple[bool, bool, float, str]:
    """Ranked teams by rank and name, then baselines, then who is disqualified."""
    team = _team(track, standing)
    return team.disqualified is not None, standing.baseline, rank or 0, team.name


def _latest(entries: Iterable[Entry]) -> datetime | None:
    return max((one.scored_at for one in entries if one.scored_at is not None), default=None)


def _metric(key: str, metric: Metric) -> MetricOut:
    better = direction(metric)
    reason = (
        None if better else f"The metric {metric.metric} is not installed on this server; it is not ranked."
    )
    return MetricOut(name=key, title=metric.title or key, better=better, reason=reason)


def _entry(track: _Track, standing: Standing, entry: Entry, *, first: bool) -> EntryOut:
    ranks = standing.metric_ranks.get(entry.board, {})
    return EntryOut(
        **_marks(entry.team, first=first),
        rank=standing.task_ranks.get(entry.board),
        metrics={
            metric: value_out(entry.scores.get(metric), ranks.get(metric), track.decimals)
            for metric in track.spec.boards[entry.board].metrics
        },
        submitted_at=entry.submitted_at,
        scored_at=entry.scored_at,
    )


def _otherwise(track: _Track, entry: Entry) -> OtherwiseOut:
    return OtherwiseOut(
        **_marks(entry.team),
        metrics={
            metric: value_out(entry.scores.get(metric), None, track.decimals)
            for metric in track.spec.boards[entry.board].metrics
        },
        submitted_at=entry.submitted_at,
        scored_at=entry.scored_at,
        differs=list(entry.differs),
    )
