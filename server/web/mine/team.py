"""One's team in a challenge: who is in it, what it accepted, stores and is told; and what an invitation opens."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session

from contract.agreements import Before
from contract.ids import TeamId
from contract.notices import MATRIX, is_told
from contract.teams import LASTS_DAYS, MOST_DAYS
from contract.texts import Line, Name
from contract.webhooks import MOST
from server.agreements.service import Asked, asked_of
from server.challenges.models import Challenge
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.pages import page
from server.storage.api import get_storage, list_images
from server.teams import membership
from server.teams.api import get_team, list_invitations
from server.teams.invitations import invited_to
from server.teams.models import Team
from server.web.frame import challenge_frame
from server.web.looking import Reader, ReaderDep
from server.web.mine.room import team_of_page
from server.webhooks import api as webhooks_api
from server.webhooks import service, views

router = APIRouter(include_in_schema=False)

_KINDS = [(kind, row.tells) for kind, row in MATRIX.items() if is_told(kind, team=True, challenge=True)]


@router.get("/challenges/{slug}/team", response_class=HTMLResponse)
def team(
    request: Request,
    session: SessionDep,
    settings: SettingsDep,
    reader: ReaderDep,
    slug: Name,
    team: TeamId | None = None,
) -> HTMLResponse:
    """The reader's team, or how to come to one."""
    challenge = get_challenge(session, slug)
    own = team_of_page(session, reader, challenge, team)
    asked = asked_of(session, challenge.id, reader.user.id)
    common: dict[str, Any] = {
        "frame": challenge_frame(challenge, takes_part=True),
        "spec": challenge.spec,
        "most": membership.most_members(challenge.spec),
        "asked": asked,
    }
    if own is None:
        missing = _missing(asked, Before.TEAM)
        return page(request, "mine/no_team.html", **common, missing=missing)
    return page(
        request,
        "mine/team.html",
        **common,
        **_of_team(session, reader, own),
        storage=get_storage(own.id, session, reader.user, settings),
        images=list_images(own.id, session, reader.user),
        lasts=[(days, f"{days} days") for days in (1, LASTS_DAYS, 14, MOST_DAYS)],
        usual=LASTS_DAYS,
        kinds=_KINDS,
        most_webhooks=MOST,
    )


@router.get("/invitations")
def invitation_of(reader: ReaderDep, code: Annotated[str, Line(100)]) -> RedirectResponse:
    """The page of an invitation whose code somebody typed."""
    return RedirectResponse(f"/invitations/{quote(code.strip(), safe='')}", status_code=303)


@router.get("/invitations/{code}", response_class=HTMLResponse)
def invitation(
    request: Request, session: SessionDep, reader: ReaderDep, code: Annotated[str, Line(100)]
) -> HTMLResponse:
    """What an invitation is to, and the way in."""
    invited = invited_to(session, code)
    challenge = session.get_one(Challenge, invited.challenge_id)
    asked = asked_of(session, challenge.id, reader.user.id)
    return page(
        request,
        "mine/invitation.html",
        frame=challenge_frame(challenge, takes_part=True),
        invited=invited,
        code=code,
        own=membership.find_team(session, reader.user, challenge.id),
        missing=_missing(asked, Before.TEAM),
    )


def _of_team(session: Session, reader: Reader, own: Team) -> dict[str, Any]:
    """The team as its members see it; with what its captain decides where the reader is one."""
    shown = get_team(own.id, session, reader.user)
    captain = reader.user.acts_as_admin or any(
        member.is_captain for member in shown.members if member.user_id == str(reader.user.id)
    )
    invitations = list_invitations(own.id, session, reader.user)
    webhooks = []
    if captain:
        owner = webhooks_api.team(session, reader.user, own.id)
        webhooks = views.webhooks_out(session, service.listed(session, owner))
    me = str(reader.user.id)
    return {
        "team": shown,
        "captain": captain,
        "invitations": invitations,
        "webhooks": webhooks,
        "me": me,
        "others": any(member.user_id != me for member in shown.members),
    }


def _missing(asked: list[Asked], before: Before) -> list[Asked]:
    """Documents that the reader has yet to accept before that."""
    return [one for one in asked if one.accepted_at is None and one.agreement.before == before]
