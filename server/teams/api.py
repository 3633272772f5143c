"""Teams and invitations over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from contract.ids import InvitationId, TeamId, UserId
from contract.teams import (
    InvitationIn,
    InvitationOut,
    MemberOut,
    MyTeamOut,
    NewInvitationOut,
    TeamChangesIn,
    TeamIn,
    TeamOut,
)
from contract.texts import Line, Name
from server.accounts.deps import UserDep, VerifiedDep
from server.challenges.service import get_challenge
from server.deps import SessionDep
from server.teams import invitations, membership, service
from server.teams.models import Team

router = APIRouter(tags=["teams"])


@router.post("/challenges/{slug}/teams", status_code=201)
def create_team(slug: Name, body: TeamIn, session: SessionDep, user: VerifiedDep) -> MyTeamOut:
    """Founds a team; the founder is its captain."""
    challenge = get_challenge(session, slug)
    return _with_members(session, service.create_team(session, user, challenge, name=body.name))


@router.get("/challenges/{slug}/teams/mine")
def my_team(slug: Name, session: SessionDep, user: UserDep) -> MyTeamOut:
    """The asker's team in this challenge."""
    challenge = get_challenge(session, slug)
    return _with_members(session, service.team_of(session, user, challenge.id))


@router.get("/teams/{team_id}")
def get_team(team_id: TeamId, session: SessionDep, user: UserDep) -> MyTeamOut:
    """A team, for its members."""
    return _with_members(session, membership.require_member(session, user, team_id))


@router.get("/teams/{team_id}/invitations")
def list_invitations(team_id: TeamId, session: SessionDep, user: UserDep) -> list[InvitationOut]:
    """A team's open invitations."""
    return [InvitationOut.of(row) for row in invitations.open_invitations(session, user, team_id)]


@router.post("/teams/{team_id}/invitations", status_code=201)
def invite(
    team_id: TeamId, session: SessionDep, user: UserDep, body: InvitationIn | None = None
) -> NewInvitationOut:
    """Invites one more member; the answer is the only place that shows the code."""
    wanted = body or InvitationIn()
    code, row = invitations.invite(session, user, team_id, lasts_days=wanted.expires_in_days)
    return NewInvitationOut.of(row, code=code)


@router.delete("/teams/{team_id}/invitations/{invitation_id}", status_code=204)
def revoke_invitation(
    team_id: TeamId, invitation_id: InvitationId, session: SessionDep, user: UserDep
) -> None:
    """Takes an invitation back."""
    invitations.revoke_invitation(session, user, team_id, invitation_id)


@router.post("/invitations/{code}/accept")
def accept_invitation(code: Annotated[str, Line(100)], session: SessionDep, user: VerifiedDep) -> MyTeamOut:
    """Joins a team."""
    return _with_members(session, invitations.accept_invitation(session, user, code))


@router.delete("/teams/{team_id}/members/me", status_code=204)
def leave(team_id: TeamId, session: SessionDep, user: UserDep) -> None:
    """Leaves a team."""
    membership.remove_member(session, user, team_id, user.id)


@router.delete("/teams/{team_id}/members/{user_id}", status_code=204)
def remove_member(team_id: TeamId, user_id: UserId, session: SessionDep, user: UserDep) -> None:
    """Takes a member out of a team."""
    membership.remove_member(session, user, team_id, user_id)


@router.patch("/admin/teams/{team_id}", tags=["admin"])
def set_standing(team_id: TeamId, body: TeamChangesIn, session: SessionDep, user: UserDep) -> TeamOut:
    """Changes a team's name, eligibility, disclaimer or being a baseline, disqualifies it or takes that back."""
    organizer, team = membership.organized_team(session, user, team_id)
    return TeamOut.of(service.set_standing(session, organizer, team, changes=body.changes()))


def _with_members(session: SessionDep, team: Team) -> MyTeamOut:
    members = [
        MemberOut.of(account, row, user_id=account.id)
        for row, account in membership.members(session, team.id)
    ]
    return MyTeamOut.of(team, members=members)
