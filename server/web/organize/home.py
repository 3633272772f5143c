"""Where organizers begin: their challenges, and one of them on one screen."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.accounts.principals import Admin
from server.challenges.service import list_challenges
from server.clock import now
from server.deps import SessionDep, SettingsDep
from server.overview.api import get_overview
from server.overview.progress import standing
from server.pages import page
from server.roles.service import roles_of
from server.web.looking import ReaderDep
from server.web.organize import drawings
from server.web.organize.room import RoomDep

router = APIRouter(prefix="/organize", include_in_schema=False)


@router.get("", response_class=HTMLResponse)
def challenges(request: Request, session: SessionDep, reader: ReaderDep) -> HTMLResponse:
    """The challenges that one may see everything of; admins all."""
    at, roles = now(session), dict(roles_of(session, reader.user))
    everything = isinstance(reader.user, Admin)
    listed = [
        (
            challenge,
            roles.get(challenge.slug),
            [
                (name, phase, standing(phase, at, released=name in challenge.released))
                for name, phase in challenge.spec.phases.items()
            ],
        )
        for challenge in list_challenges(session)
        if everything or challenge.slug in roles
    ]
    return page(request, "organize/challenges.html", listed=listed, everything=everything)


@router.get("/{slug}", response_class=HTMLResponse)
def overview(room: RoomDep, settings: SettingsDep) -> HTMLResponse:
    """What needs somebody first, and how the season goes."""
    found = get_overview(room.session, room.user, settings, room.slug)
    totals = {
        name: sum(getattr(day, name) for day in found.days)
        for name in ("scored", "rejected", "errored", "cancelled", "under_way")
    }
    return room.page(
        "overview",
        found=found,
        totals=totals,
        outcomes=drawings.outcomes_of(found) if any(totals.values()) else None,
        timeline=drawings.timeline_of(found),
        forecast=drawings.forecast_of(found),
    )
