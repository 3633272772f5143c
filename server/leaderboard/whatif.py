"""The boards of a challenge as they are against how they would be, and why they differ. Nothing is written."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from contract.changes import (
    BoardShift,
    EntryShift,
    MetricShift,
    PhaseShift,
    Shifts,
    TrackShift,
    ValueAt,
)
from evaluator.comparison import awarded
from evaluator.ranking import Standing, installed
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.challenges.service import frozen_since, is_sealed
from server.clock import now
from server.evaluations.result_models import Score
from server.leaderboard import service
from server.leaderboard.bases import InForce, case_counts, digests_of, in_force
from server.leaderboard.causes import STANDING, Seen, changed, shifts
from server.leaderboard.certainty import worked_out
from server.leaderboard.service import Attempt
from server.leaderboard.supposed import AS_IT_IS, Supposed
from server.leaderboard.values import Measured


@dataclass(frozen=True)
class _Boards:
    """The boards of a phase; teams go by their id. entries: by track, board and team. hidden: teams on no board."""

    spec: Spec
    datasets: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[tuple[str, str, str], Attempt] = field(default_factory=dict)
    standings: Mapping[str, Sequence[Standing]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @property
    def ranked(self) -> Any:
        """What makes places of values."""
        boards = installed(self.spec.boards)
        return self.spec.ranking, {name: list(board.metrics) for name, board in boards.items()}

    def identity(self) -> Any:
        """All that the places and values follow from, as JSON has it."""
        entries = [
            [*key, str(attempt.evaluation), *_standing(attempt), _values(attempt)]
            for key, attempt in sorted(self.entries.items())
        ]
        return [self.spec.digest, dict(self.datasets), entries]


def compare(
    session: Session,
    challenge: Challenge,
    supposed: Supposed,
    *,
    phases: Collection[str] | None = None,
) -> Shifts:
    """What would change on boards if `supposed` were so; `phases`: only on these, else on all that have a board.

    Evaluations that have ended count on both sides, also where their teams do not see it yet.
    """
    after = supposed.spec or challenge.spec
    named = [*challenge.spec.phases, *(name for name in after.phases if name not in challenge.spec.phases)]
    found, compared = [], []
    for phase in named:
        declared = after.phases.get(phase) or challenge.spec.phases[phase]
        if (phases is not None and phase not in phases) or declared.board == "none":
            continue
        sides = [_boards(session, challenge, phase, side) for side in (AS_IT_IS, supposed)]
        compared.append([phase, *(side.identity() for side in sides)])
        found.append(_phase(phase, declared.decimals, *sides))
    return Shifts(
        challenge=challenge.slug,
        digest=_digest(compared),
        phases=found,
        sentences=[
            f"{phase.phase}: {team.sentence}" if len(found) > 1 else team.sentence
            for phase in found
            for track in phase.tracks
            for team in track.teams
            if team.sentence is not None
        ],
    )


def changed_in_public(session: Session, challenge: Challenge, supposed: Supposed) -> list[str]:
    """The phases whose board everybody would see otherwise if `supposed` were so.

    None that is sealed is among them, nor one that is frozen where only later results change.
    """
    at = now(session)
    return [
        name
        for name, phase in challenge.spec.phases.items()
        if phase.board != "none"
        and phase.has_opened(at)
        and not is_sealed(challenge, name)
        and _public(session, challenge, name, AS_IT_IS, at) != _public(session, challenge, name, supposed, at)
    ]


def _public(session: Session, challenge: Challenge, phase: str, supposed: Supposed, at: datetime) -> Any:
    """What the places and values that everybody sees follow from."""
    until = frozen_since(challenge, phase, at=at)
    force = in_force(session, challenge, phase, supposed, until=until)
    counted = service.attempts(session, challenge, phase, force, supposed=supposed).counted
    return _Boards(force.spec, entries=_entries(counted)).identity()


def _digest(compared: Any) -> str:
    canonical = json.dumps(compared, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _boards(session: Session, challenge: Challenge, phase: str, supposed: Supposed) -> _Boards:
    spec = supposed.spec or challenge.spec
    if phase not in spec.phases:
        return _Boards(spec)
    force = in_force(session, challenge, phase, supposed)
    found = service.attempts(session, challenge, phase, force, shown=False, supposed=supposed)
    return _Boards(
        spec,
        {task: str(dataset) for task, dataset in force.datasets.items()},
        _entries(found.counted),
        _standings(session, force, found.counted),
        found.hidden,
    )


def _entries(counted: Sequence[Attempt]) -> dict[tuple[str, str, str], Attempt]:
    return {(attempt.track, attempt.board, attempt.team_id): attempt for attempt in counted}


def _standings(
    session: Session, force: InForce, counted: Sequence[Attempt]
) -> Mapping[str, Sequence[Standing]]:
    """By track. How sure places are is asked only where prizes follow from it: it takes long to work out."""
    spec = force.spec
    found = service.standings(spec, counted)
    if not spec.ranking.shares_within_winners:
        return found
    digests, cases = digests_of(session, force), case_counts(session, force)
    certain = worked_out(session, spec, counted, digests=digests, cases=cases).certain
    return {track: awarded(standings, certain.get(track)) for track, standings in found.items()}


def _phase(phase: str, decimals: int, before: _Boards, after: _Boards) -> PhaseShift:
    rule = before.ranked != after.ranked
    tracks = dict.fromkeys((*before.spec.tracks, *after.spec.tracks))
    return PhaseShift(
        phase=phase,
        rule=rule,
        decimals=decimals,
        tracks=[_track(track, before, after, rule=rule) for track in tracks],
    )


def _track(track: str, before: _Boards, after: _Boards, *, rule: bool) -> TrackShift:
    names, own = _own(track, before, after)
    sides = [
        {standing.team: standing for standing in side.standings.get(track, ())} for side in (before, after)
    ]
    seen = {
        team: Seen(name, own.get(team, []), sides[0].get(team), sides[1].get(team))
        for team, name in names.items()
    }
    boards = dict.fromkeys((*before.spec.boards, *after.spec.boards))
    shown = [_board(track, board, before, after, seen) for board in boards]
    return TrackShift(
        track=track, teams=shifts(track, seen, rule=rule), boards=[board for board in shown if board.entries]
    )


def _own(track: str, before: _Boards, after: _Boards) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The names of a track's teams, as they are called now, and what of each one's own changes, by team."""
    names: dict[str, str] = {}
    own: dict[str, list[str]] = {}
    for key in (*before.entries, *(key for key in after.entries if key not in before.entries)):
        there, board, team = key
        if there != track:
            continue
        old, new = before.entries.get(key), after.entries.get(key)
        names.setdefault(team, (old or after.entries[key]).team.name)
        if team in before.hidden ^ after.hidden:
            own[team] = [STANDING]
            continue
        found = own.setdefault(team, [])
        if old is not None and new is not None and _standing(old) != _standing(new):
            found += [] if STANDING in found else [STANDING]
        if old is None or new is None or _values(old) != _values(new):
            found.append(board)
    return names, own


def _standing(attempt: Attempt) -> tuple[bool, bool]:
    return attempt.who.ranked, attempt.who.eligible


def _values(attempt: Attempt) -> dict[str, tuple[float | None, ...]]:
    return {metric: (score.value, score.low, score.high) for metric, score in attempt.scores.items()}


def _board(track: str, board: str, before: _Boards, after: _Boards, seen: Mapping[str, Seen]) -> BoardShift:
    entries = []
    for team, one in seen.items():
        old, new = before.entries.get((track, board, team)), after.entries.get((track, board, team))
        ranks = [
            None if standing is None or entry is None else standing.task_ranks.get(board)
            for standing, entry in ((one.before, old), (one.after, new))
        ]
        metrics = _metrics(old, new)
        if metrics or ranks[0] != ranks[1]:
            entries.append(
                EntryShift(team=one.name, rank_before=ranks[0], rank_after=ranks[1], metrics=metrics)
            )
    title = (after.spec.boards.get(board) or before.spec.boards[board]).title
    entries.sort(key=lambda entry: changed(entry.rank_after, entry.rank_before, entry.team))
    return BoardShift(board=board, title=title, entries=entries)


def _metrics(old: Attempt | None, new: Attempt | None) -> list[MetricShift]:
    before = {} if old is None else old.scores
    after = {} if new is None else new.scores
    pairs = {
        metric: (_measured(before.get(metric)), _measured(after.get(metric)))
        for metric in dict.fromkeys((*before, *after))
    }
    return [
        MetricShift(metric=metric, before=was, after=becomes)
        for metric, (was, becomes) in pairs.items()
        if was != becomes
    ]


def _measured(score: Score | Measured | None) -> ValueAt | None:
    return None if score is None else ValueAt.of(score)
