"""The disk, the event log, the challenges and the installation's webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.admin import Page
from contract.events import EventOut, Subject
from contract.notices import MATRIX
from contract.retention import Sweeping
from contract.texts import Line
from contract.webhooks import MOST
from server.admin import event_log, storage
from server.admin.audit_api import verify_audit
from server.admin.finding import there
from server.challenges.service import list_challenges
from server.clock import now
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.pages import page
from server.retention.api import plan_sweep
from server.web.frame import ADMIN_RAIL
from server.web.looking import AdministratorDep
from server.web.queries import address, given, moment_of
from server.web.tried import tried
from server.webhooks import service as webhooks
from server.webhooks import views as webhook_views

router = APIRouter(include_in_schema=False)

_Name = Annotated[str, Line(200)]


@router.get("/admin/storage", response_class=HTMLResponse)
def show_storage(
    request: Request,
    session: SessionDep,
    sessions: SessionsDep,
    settings: SettingsDep,
    reader: AdministratorDep,
) -> HTMLResponse:
    """What lies on the data disk and whose it is, and what nothing refers to."""
    found = storage.overview(session, settings)
    unused: Sweeping = plan_sweep(sessions, reader.user, settings)
    return page(
        request,
        "admin/storage.html",
        rail=ADMIN_RAIL,
        found=found,
        sentence=storage.sentence(found),
        unused=unused,
    )


@router.get("/admin/events", response_class=HTMLResponse)
def list_events(
    request: Request,
    session: SessionDep,
    reader: AdministratorDep,
    subject: Annotated[str, Query(max_length=20)] = "",
    id_: Annotated[str, Query(alias="id", max_length=36)] = "",
    actor: _Name = "",
    what: _Name = "",
    challenge: _Name = "",
    since: Annotated[str, Query(max_length=30)] = "",
    after: UUID | None = None,
) -> HTMLResponse:
    """Who changed what, when and why, newest first."""
    asked = {
        "subject": subject,
        "id": id_,
        "actor": actor,
        "what": what,
        "challenge": challenge,
        "since": since,
    }

    def listed() -> Page[EventOut]:
        wanted = event_log.Asked(
            subject=next((one for one in Subject if one.value == subject), None),
            id=given(id_),
            actor=given(actor),
            what=given(what),
            since=moment_of(since),
            within=event_log.within(session, given(challenge), None),
        )
        return event_log.events(session, wanted, after=after)

    found = tried(listed)
    return page(
        request,
        "admin/events.html",
        rail=ADMIN_RAIL,
        status=found.status,
        found=found.plan,
        refused=found.refused,
        shown=there(session, {one.subject_id for one in found.plan.items} if found.plan else (), within=None),
        asked=asked,
        base=address("/admin/events", asked),
        after=after,
        subjects=[one.value for one in Subject],
        challenges=[one.slug for one in list_challenges(session)],
    )


@router.get("/admin/audit", response_class=HTMLResponse)
def check_chain(
    request: Request, session: SessionDep, settings: SettingsDep, reader: AdministratorDep
) -> HTMLResponse:
    """The chain over the event log, computed anew."""
    found = verify_audit(session, settings, reader.user)
    return page(request, "admin/audit.html", rail=ADMIN_RAIL, found=found)


@router.get("/admin/challenges", response_class=HTMLResponse)
def challenges(request: Request, session: SessionDep, reader: AdministratorDep) -> HTMLResponse:
    """Every challenge, and a form for a challenge file."""
    found = [(challenge, challenge.spec) for challenge in list_challenges(session)]
    return page(request, "admin/challenges.html", rail=ADMIN_RAIL, found=found, at=now(session))


@router.get("/admin/webhooks", response_class=HTMLResponse)
def list_webhooks(request: Request, session: SessionDep, reader: AdministratorDep) -> HTMLResponse:
    """Where the installation's messages go."""
    found = webhooks.listed(session, webhooks.Owner.of(reader.user))
    return page(
        request,
        "admin/webhooks.html",
        rail=ADMIN_RAIL,
        listed=webhook_views.webhooks_out(session, found),
        kinds=[(kind.value, row.tells) for kind, row in MATRIX.items()],
        most=MOST,
    )
