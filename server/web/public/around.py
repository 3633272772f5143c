"""What pages say around a board, from features that stand above it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.phases import is_first
from server.amendments.frozen import opened_plans
from server.amendments.service import amendments
from server.amendments.views import amendment_out
from server.challenges.models import Challenge
from server.clock import now
from server.editions.differences import named_teams, teams_of
from server.editions.service import release_of
from server.leaderboard.around import Around, ShownAtRelease
from server.leaderboard.release import released_at
from server.reevaluations.models import UNDER_WAY, Reevaluation

_MOST = 100
"""Amendments that are looked at, the newest ones."""


def around_of(session: Session, challenge: Challenge, phase: str) -> Around:
    """What stands around the board of a phase."""
    plan = opened_plans(session, challenge, at=now(session)).get(phase)
    listed = amendments(session, challenge, limit=_MOST)
    scopes = session.scalars(
        select(Reevaluation.scope).where(
            Reevaluation.challenge_id == challenge.id, Reevaluation.state.in_(UNDER_WAY)
        )
    )
    return Around(
        released=tuple(challenge.released),
        released_at=released_at(session, challenge, phase),
        amended=[
            amendment_out(one) for one in listed if one.phase in (None, phase) and not is_first(one.what)
        ],
        plan=None if plan is None else plan.now.digest,
        shown=_shown(session, challenge, phase),
        again=any(not scope.phases or phase in scope.phases for scope in scopes),
    )


def _shown(session: Session, challenge: Challenge, phase: str) -> ShownAtRelease | None:
    """What the leaderboard showed when it was released, with its teams as they are called now."""
    edition = release_of(session, challenge, phase)
    if edition is None:
        return None
    teams = teams_of(session, challenge)
    places = {}
    for track, then in edition.places.tracks.items():
        names = named_teams(teams, then)
        places[track] = [(names.get(one.team), one.place) for one in then]
    return ShownAtRelease(edition.number, edition.created_at, places)
