"""Addresses over HTTP: they register, are verified and changed, and get mail where a password is forgotten."""

import asyncio
import time

from fastapi import APIRouter

from contract.accounts import AccountOut, AddressChange, AddressCode, AddressIn, PasswordResetOut
from contract.ids import UserId
from server.accounts import hashing, passwords, registration
from server.accounts import service as accounts
from server.accounts.api import SourceDep
from server.accounts.deps import AdminDep, AskerDep, TokenDep
from server.accounts.schemas import Registration
from server.addresses import service
from server.addresses.service import Post
from server.database import SessionFactory, unit_of_work
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.front.threads import in_stream_thread

router = APIRouter(tags=["accounts"])

_EVEN = 0.25
"""Seconds after which a mail that was asked for is answered: as many whether there is an account or not."""


@router.post("/accounts", status_code=201)
def register(
    body: Registration, sessions: SessionsDep, source: SourceDep, settings: SettingsDep
) -> AccountOut:
    """Registers a person, and asks by mail whether the address is theirs where the installation sends mail."""
    with unit_of_work(sessions) as session:
        registration.count_registration(
            session,
            source=source,
            per_source=settings.registrations_per_source,
            per_hour=settings.registrations_per_hour,
        )
    with unit_of_work(sessions) as session:
        registration.require_registrable(
            session, email=body.email, name=body.name, as_admin=body.setup_token is not None
        )
    expected = settings.setup_token.get_secret_value() if settings.setup_token else None
    password_hash = hashing.hashed(body.password)
    with unit_of_work(sessions) as session:
        account = registration.register(
            session,
            email=body.email,
            name=body.name,
            password_hash=password_hash,
            setup_token=body.setup_token,
            expected_setup_token=expected,
        )
        service.ask_whether_theirs(session, account.id, settings)
        return AccountOut.of(account)


@router.post("/me/address-verification", status_code=202)
def send_verification(
    sessions: SessionsDep, user: AskerDep, source: SourceDep, settings: SettingsDep
) -> None:
    """Sends a code to the asker's address; POST /address-verifications takes it."""
    with unit_of_work(sessions) as session:
        email = accounts.account_of(session, user).email
        service.count_mail(session, email=email, source=source)
    with unit_of_work(sessions) as session:
        service.send_verification(session, user.id, Post.of(settings))


@router.post("/address-verifications", status_code=204)
def verify(body: AddressCode, session: SessionDep, settings: SettingsDep) -> None:
    """Counts an address as verified, with the code that went to it."""
    key = settings.secret_key.get_secret_value()
    service.verify(session, email=body.email, code=body.code, key=key)


@router.post("/password-resets/requests", status_code=202)
async def request_reset(
    body: AddressIn, sessions: SessionsDep, source: SourceDep, settings: SettingsDep
) -> None:
    """Sends a code that sets a new password, if the address has an account; the answer is the same if not."""
    begun_at = time.monotonic()
    await in_stream_thread(_requested, body.email, sessions, source, Post.of(settings))
    await asyncio.sleep(max(_EVEN - (time.monotonic() - begun_at), 0))


def _requested(email: str, sessions: SessionFactory, source: str, post: Post) -> None:
    with unit_of_work(sessions) as session:
        service.count_mail(session, email=email, source=source)
    with unit_of_work(sessions) as session:
        service.send_reset(session, email, post)


@router.post("/me/address", status_code=202)
def begin_change(
    body: AddressChange, sessions: SessionsDep, user: AskerDep, source: SourceDep, settings: SettingsDep
) -> None:
    """Sends a code to the address that one wants to have; PUT /me/address takes it. One's password is asked for."""
    passwords.proven(sessions, user, body.password)
    with unit_of_work(sessions) as session:
        service.count_mail(session, email=body.email, source=source)
    with unit_of_work(sessions) as session:
        service.send_change(session, user, body.email, Post.of(settings))


@router.put("/me/address", status_code=204)
def change(
    body: AddressCode, sessions: SessionsDep, token: TokenDep, user: AskerDep, settings: SettingsDep
) -> None:
    """Changes one's address, with the code that went to the new one; the old one is told."""
    with unit_of_work(sessions) as session:
        asker = accounts.authenticate_user(session, token)
        service.change(session, asker, email=body.email, code=body.code, settings=settings)


@router.post("/admin/users/{user_id}/address-verification", status_code=204, tags=["admin"])
def vouch(user_id: UserId, session: SessionDep, admin: AdminDep) -> None:
    """Counts a person's address as verified, on an admin's word."""
    service.vouch(session, user_id, actor=admin.actor)


@router.post("/admin/users/{user_id}/address-code", status_code=201, tags=["admin"])
def give_code(
    user_id: UserId, session: SessionDep, admin: AdminDep, settings: SettingsDep
) -> PasswordResetOut:
    """A code that shows whose an address is; an admin sends it there by other means."""
    key = settings.secret_key.get_secret_value()
    _, code, expires_at = service.verification_code(session, user_id, key=key, actor=admin.actor)
    return PasswordResetOut(code=code, expires_at=expires_at)
