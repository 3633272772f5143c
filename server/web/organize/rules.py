"""Phases and their release, documents, people: what the rules are, and who decides."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from contract.agreements import AgreementIn
from contract.phases import DatesIn
from contract.texts import Name
from server.amendments.service import amendments
from server.amendments.views import amendment_out
from server.browser.cookies import own_browser
from server.challenges.service import get_phase
from server.clock import now
from server.consent.api import list_versions, plan_agreement
from server.deps import SettingsDep
from server.forms.form import Form
from server.forms.showing import from_elsewhere
from server.overview.progress import standing
from server.phases.api import get_release, plan_dates
from server.phases.views import commitments_out
from server.roles.api import list_organizers
from server.web.organize.room import Room, RoomDep, Typed
from server.web.queries import moment_of
from server.web.tried import tried

router = APIRouter(prefix="/organize/{slug}", include_in_schema=False)

_AMENDMENTS = 50


@router.get("/phases", response_class=HTMLResponse)
def phases(room: RoomDep) -> HTMLResponse:
    """The phases with dates, attempts and boards, and what was amended."""
    at, challenge = now(room.session), room.challenge
    lines = [
        (name, phase, standing(phase, at, released=name in challenge.released))
        for name, phase in challenge.spec.phases.items()
    ]
    listed = amendments(room.session, challenge, limit=_AMENDMENTS)
    return room.page("phases", lines=lines, amendments=[amendment_out(one) for one in listed])


@router.get("/phases/{phase}", response_class=HTMLResponse)
def phase_page(room: RoomDep, settings: SettingsDep, phase: Name) -> HTMLResponse:
    """One phase: its dates, the list before its release, and what was fixed beforehand."""
    return room.page("phase", **_phase(room, settings, phase))


@router.get("/phases/{phase}/dates", response_class=HTMLResponse)
def dates(
    room: RoomDep,
    settings: SettingsDep,
    phase: Name,
    opens: Typed = "",
    closes: Typed = "",
    hours: Typed = "",
) -> HTMLResponse:
    """What other dates would mean, and the form that sets them."""
    found = get_phase(room.challenge.spec, phase)

    def made() -> Any:
        body = DatesIn(
            opens="now" if opens == "now" else moment_of(opens),
            closes="now" if closes == "now" else moment_of(closes),
            extend=int(hours) * 3600 if hours.isdecimal() and len(hours) < 6 else None,
        )
        return plan_dates(room.session, room.user, settings, room.slug, phase, body), body

    outcome = tried(made)
    plan, body = outcome.plan or (None, None)
    sent = {} if body is None else body.model_dump(mode="json", exclude_none=True)
    return room.page(
        "dates",
        status=outcome.status,
        key=phase,
        phase=found,
        plan=plan,
        sent=sent,
        refused=outcome.refused,
    )


def _phase(room: Room, settings: SettingsDep, name: str) -> dict[str, Any]:
    at, challenge = now(room.session), room.challenge
    phase = get_phase(challenge.spec, name)
    has_board = phase.board != "none"
    return {
        "key": name,
        "phase": phase,
        "at": at,
        "standing": standing(phase, at, released=name in challenge.released),
        "release": get_release(room.session, room.user, settings, room.slug, name) if has_board else None,
        "commitments": commitments_out(room.session, challenge, name),
        "is_open": phase.is_open(at),
        "has_opened": phase.has_opened(at),
    }


@router.get("/documents", response_class=HTMLResponse)
def documents(room: RoomDep) -> HTMLResponse:
    """Documents that people accept, version by version, and who has yet to."""
    return room.page("documents", versions=list_versions(room.session, room.user, room.slug))


@router.get("/people", response_class=HTMLResponse)
def organizers(room: RoomDep) -> HTMLResponse:
    """Who decides here, and who sees everything."""
    listed = list_organizers(room.session, room.user, room.slug)
    return room.page("people", listed=listed, me=str(room.user.id))


async def _sent(request: Request) -> Form:
    form = await run_in_threadpool(Form.parse, await request.body())
    if not own_browser(request.scope).sent_from_here(form.token):
        raise from_elsewhere()  # a page elsewhere would have it asked here, with its own words, to be published
    return form


@router.post("/documents/plan", response_class=HTMLResponse)
def document_plan(room: RoomDep, form: Annotated[Form, Depends(_sent)]) -> HTMLResponse:
    """What publishing a version would do, and the form that does it: a text is too long for an address."""
    made = tried(
        lambda: plan_agreement(
            room.session, room.user, room.slug, AgreementIn.model_validate(dict(form.body))
        )
    )
    return room.page(
        "document_plan", status=made.status, plan=made.plan, refused=made.refused, sent=dict(form.body)
    )
