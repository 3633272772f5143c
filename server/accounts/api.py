"""Accounts, log-ins and one's own sessions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from contract.accounts import (
    Credentials,
    OpenSession,
    PasswordChange,
    PasswordResetIn,
    SessionOut,
)
from contract.ids import TokenId
from server.accounts import access, hashing, log_ins, passwords, service, sources
from server.accounts.deps import AskerDep, BearerDep, TokenDep, UserDep
from server.database import unit_of_work
from server.deps import SessionDep, SessionsDep, SettingsDep

router = APIRouter(tags=["accounts"])


SourceDep = Annotated[str, Depends(sources.source_of)]


@router.post("/sessions", status_code=201)
def log_in(body: Credentials, sessions: SessionsDep, source: SourceDep, settings: SettingsDep) -> SessionOut:
    """Logs in; the session token lasts twelve hours. Send the `device` of the answer along at the next log-in."""
    key = settings.secret_key.get_secret_value()
    per_source = settings.log_ins_per_source
    with unit_of_work(sessions) as session:
        tried = log_ins.begin(
            session, email=body.email, source=source, shown=body.device, key=key, per_source=per_source
        )
    if not hashing.verifies(tried.stored, body.password, known=tried.is_known) or tried.stored is None:
        raise log_ins.refused()
    renewed = hashing.hashed(body.password, known=True) if hashing.is_outdated(tried.stored) else None
    with unit_of_work(sessions) as session:
        opened = log_ins.finish(session, tried, key=key, renewed=renewed)
    return SessionOut.of(opened)


@router.get("/sessions")
def list_sessions(session: SessionDep, user: UserDep) -> list[OpenSession]:
    """The asker's sessions that have not ended."""
    return [
        OpenSession.of(row, current=row.id == user.token_id) for row in access.list_sessions(session, user)
    ]


@router.delete("/sessions", status_code=204)
def log_out_everywhere(
    session: SessionDep,
    user: UserDep,
    tokens: Annotated[bool, Query(description="end one's API tokens too")] = False,
) -> None:
    """Ends all sessions of the asker, this one too."""
    access.log_out_everywhere(session, user, and_tokens=tokens)


@router.delete("/sessions/current", status_code=204)
def log_out(session: SessionDep, credentials: BearerDep) -> None:
    """Logs out."""
    service.log_out(session, credentials.credentials if credentials else None)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(session_id: TokenId, session: SessionDep, user: UserDep) -> None:
    """Ends one of the asker's sessions."""
    access.end_session(session, user, session_id)


@router.post("/me/password", status_code=204)
def change_password(
    body: PasswordChange, sessions: SessionsDep, source: SourceDep, user: AskerDep, token: TokenDep
) -> None:
    """Changes one's password; one's other sessions end."""
    stored = passwords.proven(sessions, user, body.old_password)
    password_hash = hashing.hashed(body.new_password, known=True)
    with unit_of_work(sessions) as session:
        passwords.change_password(
            session,
            service.authenticate_user(session, token),
            stored=stored,
            password_hash=password_hash,
            source=source,
            asking_token=token or "",
            revoke_tokens=body.revoke_tokens,
        )


@router.post("/password-resets", status_code=204)
def reset_password(
    body: PasswordResetIn, sessions: SessionsDep, source: SourceDep, settings: SettingsDep
) -> None:
    """Sets a new password with a code, from an admin or by mail; it works once, and what let one in before ends."""
    key = settings.secret_key.get_secret_value()
    with unit_of_work(sessions) as session:
        passwords.require_code(session, email=body.email, code=body.code, key=key)
    password_hash = hashing.hashed(body.password, known=True)
    with unit_of_work(sessions) as session:
        passwords.finish_reset(
            session,
            email=body.email,
            code=body.code,
            password_hash=password_hash,
            source=source,
            key=key,
        )
