"""Closing one's account over HTTP; admins close others' in `server.admin`."""

from fastapi import APIRouter

from contract.accounts import Closing
from server.accounts.deps import AskerDep
from server.accounts.passwords import proven
from server.closing import service
from server.database import unit_of_work
from server.deps import SessionsDep

router = APIRouter(tags=["accounts"])


@router.post("/me/close", status_code=204)
def close_account(body: Closing, sessions: SessionsDep, user: AskerDep) -> None:
    """Closes one's account for good: one leaves one's teams, and all sessions, tokens and invitations end."""
    proven(sessions, user, body.password)
    with unit_of_work(sessions) as session:
        service.close_account(session, user.id, actor=user.actor, why="by the person")
