"""Closing an account: nothing of it opens anything any more, and what it did stays. An admin can open it again."""

from sqlalchemy import func
from sqlalchemy.orm import Session

from contract.ids import UserId
from contract.problems import ErrorCode
from server import events
from server.accounts.access import revoke_all
from server.accounts.models import Account
from server.accounts.service import locked, require_other_admin
from server.errors import Conflict
from server.organizers.ending import end_all
from server.teams.membership import leave_all


def close_account(session: Session, user_id: UserId, *, actor: str, why: str | None = None) -> Account:
    """Ends sessions, tokens, codes, invitations and roles of a person, who leaves their teams; twice is as once.

    A captain hands over to the member who has been there longest. A team whose last member this is keeps them, with
    all it has submitted. The address cannot be registered again.

    Raises:
        NotFound: there is no such account.
        Conflict: it is the only admin's.
    """
    account = locked(session, user_id, and_admins=True)
    if account.closed_at is not None:
        return account
    require_other_admin(session, account)
    revoke_all(session, user_id, actor=actor)
    leave_all(session, user_id, actor=actor)
    end_all(session, user_id, actor=actor)
    account.closed_at, account.closed_why = func.now(), why
    session.flush()
    session.refresh(account)
    events.record(session, "user", user_id, actor=actor, what="account closed", why=why)
    return account


def reopen_account(session: Session, user_id: UserId, *, actor: str) -> Account:
    """Lets a person log in again with their password; to teams they have to be invited, and roles given, anew.

    Raises:
        NotFound: there is no such account.
        Conflict: it is not closed, or the person was erased.
    """
    account = locked(session, user_id)
    if account.erased_at is not None:
        raise Conflict(
            ErrorCode.ERASED, "This person was erased: nothing is left to log in with. Register anew."
        )
    if account.closed_at is None:
        raise Conflict(ErrorCode.NOT_CLOSED, "This account is not closed.")
    account.closed_at, account.closed_why = None, None
    events.record(session, "user", user_id, actor=actor, what="account opened again")
    return account
