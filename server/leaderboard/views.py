"""Leaderboards as they are published: values rounded to the phase's decimals, ranks from full precision."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from evaluator.ranking import Standing
from evaluator.spec import Board, Metric
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.evaluations.models import Score
from server.leaderboard import service
from server.leaderboard.schemas import (
    BoardOut,
    EntryOut,
    LeaderboardOut,
    MetricOut,
    TrackOut,
    UnifiedOut,
    ValueOut,
)
from server.leaderboard.service import Entry
from server.teams.models import Team


def leaderboard_out(session: Session, challenge: Challenge, phase: str) -> LeaderboardOut:
    """Every leaderboard of one phase."""
    spec = challenge.spec
    found = service.entries(session, challenge, phase)
    standings = service.standings(spec, found)
    teams = {str(entry.team.id): entry.team for entry in found}
    return LeaderboardOut(
        challenge=challenge.slug,
        title=spec.title,
        phase=phase,
        phase_title=spec.phases[phase].title,
        version=spec.digest,
        other_versions=service.other_versions(session, challenge, phase),
        decimals=spec.phases[phase].decimals,
        tracks=[
            _track(spec, phase, track, standings.tracks.get(track, ()), teams, found) for track in spec.tracks
        ],
    )


def _track(
    spec: Spec,
    phase: str,
    track: str,
    standings: Sequence[Standing],
    teams: dict[str, Team],
    found: Sequence[Entry],
) -> TrackOut:
    entries = {(str(one.team.id), one.task): one for one in found if one.track == track}
    prizes = _prizes(standings)
    return TrackOut(
        track=track,
        unified=[
            UnifiedOut(
                team=teams[one.team].name,
                baseline=one.baseline,
                eligible=one.eligible,
                disclaimer=teams[one.team].disclaimer,
                placement=one.placement,
                prize=prizes.get(one.team),
                overall=one.overall,
                board_ranks={name: one.task_ranks.get(name) for name in spec.boards},
                missing=[
                    name for name, board in spec.boards.items() if (one.team, board.task) not in entries
                ],
            )
            for one in standings
        ],
        boards=[
            _board(spec, phase, name, board, standings, teams, entries) for name, board in spec.boards.items()
        ],
    )


def _prizes(standings: Sequence[Standing]) -> dict[str, int]:
    """Places among eligible teams only: an ineligible one is ranked and skipped; equal placements stay equal."""
    eligible = [one for one in standings if one.eligible and one.placement is not None]
    better = {
        one.team: sum((other.placement or 0) < (one.placement or 0) for other in eligible) for one in eligible
    }
    return {team: count + 1 for team, count in better.items()}


def _board(
    spec: Spec,
    phase: str,
    name: str,
    board: Board,
    standings: Sequence[Standing],
    teams: dict[str, Team],
    entries: dict[tuple[str, str], Entry],
) -> BoardOut:
    listed = [one for one in standings if (one.team, board.task) in entries]
    listed.sort(key=lambda one: (one.baseline, one.task_ranks.get(name) or 0, teams[one.team].name))
    decimals = spec.phases[phase].decimals
    return BoardOut(
        board=name,
        title=board.title,
        weight=spec.ranking.weights[name],
        metrics=[_metric(key, metric) for key, metric in board.metrics.items()],
        entries=[
            _entry(one, name, board, teams[one.team], entries[one.team, board.task], decimals)
            for one in listed
        ],
    )


def _metric(key: str, metric: Metric) -> MetricOut:
    better = service.direction(metric)
    reason = (
        None if better else f"The metric {metric.metric} is not installed on this server; it is not ranked."
    )
    return MetricOut(name=key, title=metric.title or key, better=better, reason=reason)


def _entry(standing: Standing, name: str, board: Board, team: Team, entry: Entry, decimals: int) -> EntryOut:
    ranks = standing.metric_ranks.get(name, {})
    return EntryOut(
        team=team.name,
        baseline=standing.baseline,
        eligible=standing.eligible,
        disclaimer=team.disclaimer,
        rank=standing.task_ranks.get(name),
        metrics={
            metric: _value(entry.scores.get((name, metric)), ranks.get(metric), decimals)
            for metric in board.metrics
        },
        submitted_at=entry.submitted_at,
    )


def _value(score: Score | None, rank: float | None, decimals: int) -> ValueOut:
    if score is None:
        return ValueOut(value=None, low=None, high=None, rank=rank)
    value, low, high = (
        None if one is None else round(one, decimals) for one in (score.value, score.low, score.high)
    )
    return ValueOut(value=value, low=low, high=high, rank=rank)
