"""The installation on one page, what it failed at, and anything found by its name or id."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contract.texts import Line
from server.admin import finding, installation, showing
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.evaluations import errors
from server.evaluations.result_models import Receipt
from server.evaluations.views import failed_out
from server.pages import page
from server.queue import losses
from server.web.frame import ADMIN_RAIL
from server.web.looking import AdministratorDep
from server.web.queries import given
from server.web.titles import Titles

router = APIRouter(include_in_schema=False)

_Sought = Annotated[str, Line(200)]
_MOST_ERRORS = 100


@router.get("/admin", response_class=HTMLResponse)
def overview(
    request: Request, session: SessionDep, settings: SettingsDep, reader: AdministratorDep
) -> HTMLResponse:
    """What somebody should look at first, and how the installation is."""
    found = installation.status(session, settings)
    return page(request, "admin/overview.html", rail=ADMIN_RAIL, found=found)


@router.get("/admin/errors", response_class=HTMLResponse)
def list_errors(request: Request, session: SessionDep, reader: AdministratorDep) -> HTMLResponse:
    """Evaluations that the platform failed at, and those with cases that are parked."""
    errored = errors.errored(session, challenge=None, since=None, within=None)
    parked = errors.parked(session, challenge=None, within=None)
    return page(
        request,
        "admin/errors.html",
        rail=ADMIN_RAIL,
        errored=[failed_out(failed) for failed in errored[:_MOST_ERRORS]],
        parked=[failed_out(failed) for failed in parked[:_MOST_ERRORS]],
        more=max(len(errored), len(parked)) > _MOST_ERRORS,
        dying=losses.sentence(losses.lately(session)),
        faults=losses.faults(session),
    )


@router.get("/admin/find", response_class=HTMLResponse)
def find(
    request: Request,
    session: SessionDep,
    reader: AdministratorDep,
    q: Annotated[_Sought, Query()] = "",
) -> HTMLResponse:
    """Anything by a name, an address, or how an id or a digest begins."""
    sought = given(q)
    found = None if sought is None else finding.search(session, sought, within=None, most=20)
    return page(request, "admin/find.html", rail=ADMIN_RAIL, q=q, found=found)


@router.get("/admin/show/{id_}", response_class=HTMLResponse)
def show(
    request: Request, session: SessionDep, reader: AdministratorDep, id_: Annotated[str, Line(36, least=1)]
) -> HTMLResponse:
    """All of one thing on one page; who looks at the names of cases is recorded."""
    found = showing.show(session, reader.user, id_)
    evaluation = found.evaluation
    titles = None if evaluation is None else Titles(get_challenge(session, evaluation.challenge).spec)
    signed = evaluation is not None and session.get(Receipt, evaluation.id) is not None
    return page(request, "admin/show.html", rail=ADMIN_RAIL, found=found, titles=titles, signed=signed)
