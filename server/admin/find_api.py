"""Anything found and shown over HTTP, and the installation on one screen."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.finding import MOST_FOUND, SearchOut, ShownOut
from contract.installation import InstallationOut
from contract.texts import Line
from server.accounts.deps import AdminDep, UserDep
from server.admin import finding, installation, showing
from server.deps import SessionDep, SettingsDep
from server.organizers.access import observed

router = APIRouter(prefix="/admin", tags=["admin"])


@router.get("/find")
def find(
    session: SessionDep,
    user: UserDep,
    q: Annotated[
        str, Line(200, least=1), Query(description="A name, an address, or how an id or a sha256 begins")
    ],
    limit: Annotated[int, Query(ge=1, le=MOST_FOUND, description="Of each kind")] = 10,
) -> SearchOut:
    """Anything by its name, its id or its digest, in the asker's challenges; of each kind the newest."""
    return finding.search(session, q, within=observed(session, user), most=limit)


@router.get("/show/{id_}")
def show(session: SessionDep, user: UserDep, id_: Annotated[str, Line(36, least=1)]) -> ShownOut:
    """All of one thing whose id begins so, on one screen, with the names of cases; that is recorded.

    `participant` holds only what the team may see, so that it may be sent to them as it is.
    """
    return showing.show(session, user, id_)


@router.get("/status")
def status(session: SessionDep, settings: SettingsDep, admin: AdminDep) -> InstallationOut:
    """The installation: phases, queue, slots, errors, disk, backup, tokens that end soon, versions."""
    return installation.status(session, settings)
