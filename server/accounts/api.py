"""Accounts, log-ins and tokens over HTTP."""

from uuid import UUID

from fastapi import APIRouter, Request

from server.accounts import passwords, service, tokens
from server.accounts.schemas import (
    AccountOut,
    Credentials,
    Me,
    NewTokenOut,
    NewWorkerOut,
    PasswordChange,
    PasswordResetIn,
    Registration,
    SessionOut,
    TokenIn,
    TokenOut,
    WorkerIn,
)
from server.database import unit_of_work
from server.deps import AdminDep, BearerDep, RunWorkerDep, SessionDep, SettingsDep, UserDep

router = APIRouter(tags=["accounts"])


@router.post("/accounts", status_code=201)
def register(body: Registration, session: SessionDep, settings: SettingsDep) -> AccountOut:
    """Registers a person."""
    expected = settings.setup_token.get_secret_value() if settings.setup_token else None
    account = service.register(session, **body.model_dump(), expected_setup_token=expected)
    return AccountOut.model_validate(account)


@router.post("/sessions", status_code=201)
def log_in(body: Credentials, request: Request) -> SessionOut:
    """Logs in; the session token lasts twelve hours."""
    # Two units of work: the count of log-ins stays when the log-in is refused.
    with unit_of_work(request.app.state.sessions) as session:
        service.count_log_in(session, body.email)
    with unit_of_work(request.app.state.sessions) as session:
        token, expires_at = service.log_in(session, email=body.email, password=body.password)
    return SessionOut(token=token, expires_at=expires_at)


@router.delete("/sessions/current", status_code=204)
def log_out(session: SessionDep, credentials: BearerDep) -> None:
    """Logs out."""
    service.log_out(session, credentials.credentials if credentials else None)


@router.get("/me")
def me(session: SessionDep, user: UserDep) -> Me:
    """Who is asking, and what the token allows."""
    account = AccountOut.model_validate(service.account_of(session, user))
    return Me(**account.model_dump(), scopes=sorted(user.scopes))


@router.post("/me/password", status_code=204)
def change_password(body: PasswordChange, request: Request, user: UserDep, credentials: BearerDep) -> None:
    """Changes one's password; one's other sessions end."""
    with unit_of_work(request.app.state.sessions) as session:
        email = service.account_of(session, user).email
        service.count_log_in(session, email)
    with unit_of_work(request.app.state.sessions) as session:
        passwords.change_password(
            session,
            user,
            old=body.old_password,
            new=body.new_password,
            asking_token=credentials.credentials if credentials else "",
            revoke_tokens=body.revoke_tokens,
        )
        passwords.forget_attempts(session, email)


@router.post("/password-resets", status_code=204)
def reset_password(body: PasswordResetIn, session: SessionDep) -> None:
    """Sets a new password with a code from an admin; the code works once, for a day."""
    passwords.finish_reset(session, **body.model_dump())


@router.post("/tokens", status_code=201)
def create_token(body: TokenIn, session: SessionDep, user: UserDep) -> NewTokenOut:
    """Creates an API token; the answer is the only place that shows it."""
    token, row = service.create_api_token(session, user, **body.model_dump())
    return NewTokenOut(**TokenOut.model_validate(row).model_dump(), token=token)


@router.get("/tokens")
def list_tokens(session: SessionDep, user: UserDep) -> list[TokenOut]:
    """The asker's API tokens."""
    return [TokenOut.model_validate(row) for row in service.list_tokens(session, user)]


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: UUID, session: SessionDep, user: UserDep) -> None:
    """Revokes an API token."""
    service.revoke_token(session, user, token_id)


@router.get("/worker/me", tags=["workers"])
def run_worker(worker: RunWorkerDep) -> dict[str, str]:
    """Whose token this is, for a run worker that has just started."""
    return {"name": worker.name}


@router.post("/admin/workers", status_code=201, tags=["admin"])
def add_worker(body: WorkerIn, session: SessionDep, admin: AdminDep) -> NewWorkerOut:
    """Creates a run worker's token; the answer is the only place that shows it."""
    return NewWorkerOut(
        name=body.name, token=tokens.add_worker(session, admin, name=body.name, slots=body.slots)
    )
