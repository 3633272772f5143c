"""Teams: founded, found by name, and how they stand."""

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from contract.accounts import Scope
from contract.agreements import Before
from contract.ids import ChallengeId
from contract.problems import ErrorCode
from server import events
from server.accounts import tallies
from server.accounts.principals import Organizer, User
from server.accounts.service import require_scope
from server.accounts.tallies import Bound
from server.agreements.service import require_accepted
from server.challenges.acts import BoardAct, note_act
from server.challenges.models import Challenge
from server.errors import Conflict, Forbidden, NotFound, NotNow, Unprocessable
from server.names import display_name, is_id, is_reserved, skeleton
from server.teams.membership import (
    find_team,
    has_team,
    require_member,
    unknown_team,
)
from server.teams.models import Membership, Team

NEW_TEAMS = Bound("teams", 5, timedelta(days=1), by_anybody=False)


def create_team(session: Session, user: User, challenge: Challenge, *, name: str) -> Team:
    """A new team with `user` as its captain; it waits where the challenge's organizers approve teams.

    Raises:
        Forbidden: a document that is needed for it is not accepted.
        Unprocessable: the name breaks the rules, or is the organizers'.
        Conflict: the name is taken or looks like another one, the user has a team in this challenge, or it takes no
            new ones.
        NotNow: the user founded too many within a day.
    """
    require_scope(user, Scope.SUBMIT)
    name = team_name(name, by_organizer=user.acts_as_admin)
    challenge_id, registration = challenge.id, challenge.spec.teams.registration
    require_accepted(session, user, challenge_id, before=Before.TEAM)
    if find_team(session, user, challenge_id) is not None:
        raise has_team()
    if not user.acts_as_admin:
        _require_room(session, user, challenge)
    team: Team | None = session.scalar(
        insert(Team)
        .values(
            challenge_id=challenge_id,
            name=name,
            name_key=name_key(name),
            skeleton=skeleton(name),
            waits=registration == "approval" and not user.acts_as_admin,
        )
        .on_conflict_do_nothing()
        .returning(Team)
    )
    if team is None:
        raise _name_taken()
    founded = session.scalar(
        insert(Membership)
        .values(team_id=team.id, user_id=user.id, challenge_id=challenge_id, is_captain=True)
        .on_conflict_do_nothing()
        .returning(Membership.team_id)
    )
    if founded is None:
        raise has_team()
    events.record(session, "team", team.id, actor=user.actor, what="created")
    return team


def _require_room(session: Session, user: User, challenge: Challenge) -> None:
    if challenge.spec.teams.registration == "closed":
        raise Conflict(
            ErrorCode.REGISTRATION_CLOSED,
            "This challenge takes no new teams. A captain of one that is there can still invite you.",
        )
    wait = tallies.count(session, NEW_TEAMS, user.id, challenge.id)
    if wait is not None:
        raise NotNow(
            ErrorCode.TOO_MANY_TEAMS,
            tallies.later(
                f"One person founds at most {NEW_TEAMS.most} teams of a challenge within a day.", wait
            ),
            seconds=wait.total_seconds(),
        )


def team_name(name: str, *, by_organizer: bool = False) -> str:
    """The name as it is shown; names that the organizers go by are theirs to give.

    Raises:
        Unprocessable: not 2 to 40 characters, or characters that may not be there.
    """
    try:
        shown = display_name(name, least=2, most=40)
    except ValueError as error:
        raise Unprocessable(ErrorCode.BAD_TEAM_NAME, f"A team's name {error}.") from None
    if is_id(shown):
        raise Unprocessable(
            ErrorCode.BAD_TEAM_NAME, "A team's name must not be an id, by which another team could be meant."
        )
    if is_reserved(shown) and not by_organizer:
        raise Unprocessable(
            ErrorCode.BAD_TEAM_NAME,
            "This name, and what looks like it, is kept for the organizers. Choose another one.",
        )
    return shown


def team_of(session: Session, user: User, challenge_id: ChallengeId) -> Team:
    """The user's team in a challenge.

    Raises:
        NotFound: there is none.
    """
    team = find_team(session, user, challenge_id)
    if team is None:
        raise NotFound(
            ErrorCode.NO_TEAM, "You have no team in this challenge. Create one, or accept an invitation."
        )
    return team


def choose_team(session: Session, user: User, challenge_id: ChallengeId, *, named: str | None = None) -> Team:
    """The team of this challenge that is meant: by id or name, or the user's own where none is named.

    Raises:
        NotFound: no such team of this challenge that the user may act for.
    """
    if named is None:
        return team_of(session, user, challenge_id)
    same = Team.id == UUID(named) if _is_uuid(named) else Team.name_key == name_key(named)
    team = session.scalar(select(Team).where(Team.challenge_id == challenge_id, same))
    if team is None:
        raise unknown_team()
    return require_member(session, user, team.id)


def require_own(team: Team) -> None:
    """Raises Conflict where all that the team had is another's."""
    if team.merged_into is not None:
        raise Conflict(
            ErrorCode.TEAM_MERGED, f"{team.name} was merged into another team, which has all of it since."
        )


_ON_BOARDS = {"disqualified", "is_baseline", "hidden"}
"""What of a team decides whether boards rank and show it."""


def set_standing(session: Session, organizer: Organizer, team: Team, *, changes: Mapping[str, Any]) -> Team:
    """Changes what an organizer decides: `name`, `eligible`, `disclaimer`, `is_baseline`, `disqualified`.

    Raises:
        Unprocessable: the name breaks the rules.
        Conflict: the name is taken or looks like another one, or the team was merged into another.
    """
    require_own(team)
    # Before the team's row: whoever decides about boards holds the challenge first.
    session.scalar(
        select(Challenge.id).where(Challenge.id == team.challenge_id).with_for_update(key_share=True)
    )
    changes = dict(changes)
    if "name" in changes:
        changes["name"] = team_name(changes["name"], by_organizer=True)
    change(session, team, changes)
    events.record(session, "team", team.id, actor=organizer.actor, what="standing changed", why=str(changes))
    return team


def change(session: Session, team: Team, changes: Mapping[str, Any]) -> None:
    """Gives columns of a team other values; a name is as `team_name` makes it.

    Raises:
        Conflict: the name is taken or looks like another one.
    """
    for field, value in changes.items():
        setattr(team, field, value)
    if "name" in changes:
        team.name_key, team.skeleton = name_key(team.name), skeleton(team.name)
    try:
        session.flush()
    except IntegrityError:
        raise _name_taken() from None
    if changes.keys() & _ON_BOARDS:
        note_act(session, team.challenge_id, BoardAct(None, None))


def require_part(team: Team) -> None:
    """Raises unless the team takes part.

    Raises:
        Forbidden: it is disqualified, or was not approved yet.
    """
    if team.disqualified is not None:
        raise Forbidden(ErrorCode.TEAM_DISQUALIFIED, disqualification(team.name, team.disqualified))
    if team.waits:
        raise Forbidden(
            ErrorCode.TEAM_WAITS,
            f"{team.name} can upload and submit as soon as the organizers have approved it; they see that it waits.",
        )


def disqualification(name: str, why: str) -> str:
    """What members of a disqualified team are told."""
    return (
        f"{name} is disqualified and cannot submit. The organizers' reason: {why.rstrip('. ')}. "
        "What was scored stays; ask them if you think that they are wrong."
    )


def name_key(name: str) -> str:
    """The name as it is looked up: composed, without capitals, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _name_taken() -> Conflict:
    return Conflict(
        ErrorCode.TEAM_NAME_TAKEN,
        "Another team of this challenge has this name, or one that looks like it. Choose another one.",
    )


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
