"""Teams: founded, joined and left."""

from typing import Annotated

import typer

from client.app import (
    ChallengeArgument,
    ChallengeOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    chosen,
    err,
    out,
    signed_in,
)
from client.errors import WrongUsage
from client.show import standing_lines
from evaluator.terminal import agreed, in_line

teams = typer.Typer(no_args_is_help=True, help="Found a team, invite to it, join one.")
app.add_typer(teams, name="team")


@teams.command("create")
def create_team(name: str, named: ChallengeArgument = None, challenge: ChallengeOption = None) -> None:
    """Found a team in a challenge."""
    with signed_in() as client:
        team = client.create_team(choose_challenge(client, named or challenge).slug, name)
    out.print(
        f"Your team is {team.name} ({team.id}). Invite others with `proctor team invite`.",
        soft_wrap=True,
    )
    for line in standing_lines(team):
        out.print(line, soft_wrap=True)


@teams.command("invite")
def invite(
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    days: Annotated[int | None, typer.Option(help="How long it lasts, up to 30; 7 if left out.")] = None,
) -> None:
    """Print a code with which one more person can join your team."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        code = client.invite(choose_team(client, slug, team), days=days)
    dashes = "-- " if code.startswith("-") else ""  # else the shell command would take the code for an option
    out.print(f"proctor team join {dashes}{code}", soft_wrap=True)


@teams.command("invitations")
def invitations(
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", help="Take back the invitation whose id ends so.")
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
) -> None:
    """List your team's open invitations. They end when whoever made them leaves the team."""
    with signed_in() as client:
        team_id = choose_team(client, choose_challenge(client, challenge).slug, team)
        waiting = client.invitations(team_id)
        for invitation in [chosen(waiting, ending, "open invitation") for ending in revoke or ()]:
            client.revoke_invitation(team_id, invitation.id)
            waiting.remove(invitation)
            err.print(f"{in_line(invitation.id)} is taken back.")
    for invitation in waiting:
        out.print(
            f"{in_line(invitation.id)}  until {invitation.expires_at:%Y-%m-%d %H:%M} UTC", soft_wrap=True
        )
    if not waiting:
        out.print("No invitation is open.")


@teams.command("join")
def join(code: str) -> None:
    """Join a team with the code of an invitation."""
    with signed_in() as client:
        team = client.accept_invitation(code)
    out.print(f"You are in team {in_line(team.name)}.")


@teams.command("show")
def show_team(challenge: ChallengeOption = None, team: TeamOption = None) -> None:
    """Show your team, how it stands and who is in it."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        row = client.team(team) if team else client.my_team(slug)
    out.print(f"{in_line(row.name)} ({in_line(row.id)})", soft_wrap=True)
    for line in standing_lines(row):
        out.print(line, soft_wrap=True)
    for member in row.members:
        out.print(f"  {in_line(member.name)}{' (captain)' if member.is_captain else ''}")


@teams.command("leave")
def leave_team(
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Leave your team; only an invitation brings you back. A captain hands over to the longest member."""
    with signed_in() as client:
        slug = choose_challenge(client, challenge).slug
        row = client.team(team) if team else client.my_team(slug)
        if not yes and not agreed(f"Leave team {row.name}?", err=True):
            raise WrongUsage("You are still in the team.")
        client.leave_team(row.id)
    out.print(f"You have left team {row.name}.")
