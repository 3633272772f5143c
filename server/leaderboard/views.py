"""Leaderboards as they are published: values rounded to the phase's decimals, ranks from full precision."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from contract.leaderboard import LeaderboardHead, LeaderboardOut, TrackOut
from evaluator.comparison import awarded
from evaluator.spec import Challenge as Spec
from server.challenges.models import Challenge
from server.challenges.service import frozen_since
from server.clock import now as now_of
from server.leaderboard import release, service
from server.leaderboard.bases import case_counts, digests_of, in_force
from server.leaderboard.certain_out import certainty_out
from server.leaderboard.certainty import Known, known, worked_out
from server.leaderboard.checkpoints import Held, OfTeams
from server.leaderboard.made import MadeBoards, MadeTrack, Shown, latest, made_track
from server.leaderboard.published import published_out
from server.leaderboard.service import Found
from server.teams.models import Team


def leaderboard_out(
    session: Session, challenge: Challenge, phase: str, *, live: bool = False, wait: bool = False
) -> LeaderboardOut:
    """Every leaderboard of one phase with all its entries; see `made_boards`."""
    return made_boards(session, challenge, phase, live=live, wait=wait).out


def made_boards(
    session: Session, challenge: Challenge, phase: str, *, live: bool = False, wait: bool = False
) -> MadeBoards:
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
    tracks = made_tracks(spec, found, decimals=current.decimals, cases=cases, sure=sure)
    head = LeaderboardHead(
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
        last_scored=latest(found.counted),
        released_early=release.reason_of(session, challenge, phase),
        published=published_out(found.published, tracks),
        version=spec.digest,
        decimals=current.decimals,
        prizes=list(spec.ranking.prizes_of_places),
    )
    return MadeBoards(head, tracks)


def tracks_out(
    spec: Spec, found: Found, *, decimals: int, cases: Mapping[str, int], sure: Known | None = None
) -> list[TrackOut]:
    """The leaderboards of every track with all their entries; see `made_tracks`."""
    return [track.out for track in made_tracks(spec, found, decimals=decimals, cases=cases, sure=sure)]


def made_tracks(
    spec: Spec, found: Found, *, decimals: int, cases: Mapping[str, int], sure: Known | None = None
) -> list[MadeTrack]:
    """The leaderboards of every track, from what its teams have.

    Args:
        spec: the version in force.
        found: what the teams have.
        decimals: of the values.
        cases: how many are in force, by task.
        sure: how sure the places are, as far as it is known.
    """
    standings = service.standings(spec, found.counted)
    sure = sure or Known({})
    tracks = []
    for name in spec.tracks:
        counted = [attempt for attempt in found.counted if attempt.track == name]
        otherwise = [attempt for attempt in found.otherwise if attempt.track == name]
        certain = sure.certain.get(name)
        marks = {
            one.key: _marks(one.team)
            for one in {one.who.key: one.who for one in (*counted, *otherwise)}.values()
        }
        shown = Shown(
            name=name,
            spec=spec,
            decimals=decimals,
            cases=cases,
            marks=marks,
            standings=awarded(standings.get(name, ()), certain),
            attempts={(attempt.team_id, attempt.board): attempt for attempt in counted},
            otherwise=otherwise,
            certain=certain,
            published=found.published is not None,
            held=_held(spec, counted),
        )
        names = {key: one["team"] for key, one in marks.items()}
        told = None if certain is None else certainty_out(certain, names)
        tracks.append(made_track(shown, told, pending=name in sure.pending))
    return tracks


def _held(spec: Spec, counted: Sequence[service.Attempt]) -> OfTeams:
    """What the images of each team hold that count, by its id and by task."""
    found: dict[str, dict[str, Held]] = {}
    for attempt in counted:
        if attempt.checkpoint is not None:
            found.setdefault(attempt.team_id, {})[spec.boards[attempt.board].task] = attempt.checkpoint
    return found


def _marks(team: Team) -> dict[str, Any]:
    return {
        "team": team.name,
        "baseline": team.is_baseline,
        "eligible": team.eligible,
        "disqualified": team.disqualified is not None,
        "disclaimer": team.disclaimer,
        "first": False,
    }
