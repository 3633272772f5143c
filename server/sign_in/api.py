"""Log-ins through a provider as commands begin them, wait for them and finish them; and one's own identities."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from contract.accounts import SessionOut
from contract.ids import IdentityId
from contract.sign_in import (
    IdentityOut,
    ProviderOut,
    SignInBegin,
    SignInOut,
    SignInOutcome,
    SignInSecret,
    SignInState,
    WaysOut,
)
from server.accounts import sources
from server.accounts.api import SourceDep
from server.accounts.deps import UserDep
from server.accounts.principals import User
from server.accounts.registration import count_registration
from server.accounts.schemas import SignInRegistration
from server.addresses.service import ask_whether_theirs
from server.database import SessionFactory, unit_of_work
from server.deps import SessionDep, SessionsDep, SettingsDep
from server.outbox.service import mail_is_set_up
from server.settings import Settings
from server.sign_in import identities, service
from server.sign_in.relying import RelyingParty

router = APIRouter(tags=["accounts"])

_INTERVAL = 2


def get_parties(request: Request) -> dict[str, RelyingParty]:
    """This installation towards each of its providers, by name."""
    parties: dict[str, RelyingParty] = request.app.state.parties
    return parties


PartiesDep = Annotated[dict[str, RelyingParty], Depends(get_parties)]


@router.get("/sign-ins/ways")
async def list_ways(parties: PartiesDep, settings: SettingsDep) -> WaysOut:
    """How people get in beside their passwords, and whether this server sends mail."""
    providers = [ProviderOut(name=name, title=party.provider.called) for name, party in parties.items()]
    return WaysOut(providers=providers, mail=mail_is_set_up(settings))


@router.post("/sign-ins", status_code=201)
def begin(
    body: SignInBegin, parties: PartiesDep, sessions: SessionsDep, source: SourceDep, settings: SettingsDep
) -> SignInOut:
    """Begins a log-in through a provider: its person opens `url` in a browser and types `code` there."""
    return _begun(body, parties, sessions, source, settings)


@router.post("/me/identities", status_code=201)
def begin_linking(
    body: SignInBegin,
    parties: PartiesDep,
    sessions: SessionsDep,
    source: SourceDep,
    settings: SettingsDep,
    user: UserDep,
) -> SignInOut:
    """Begins to link an identity at a provider to one's account; it goes on like a log-in."""
    return _begun(body, parties, sessions, source, settings, user)


def _begun(
    body: SignInBegin,
    parties: dict[str, RelyingParty],
    sessions: SessionFactory,
    source: str,
    settings: Settings,
    user: User | None = None,
) -> SignInOut:
    with unit_of_work(sessions) as session:
        service.count_sign_in(session, source=source)
    asked_by = f"{body.asked_by or 'a command'}, from {sources.coarse(source)}"
    with unit_of_work(sessions) as session:
        begun = service.begin(session, body.provider, offered=parties, asked_by=asked_by, user=user)
    url = f"{settings.public_url}/sign-in/{begun.page}"
    return SignInOut(
        secret=begun.secret, url=url, code=begun.code, expires_at=begun.expires_at, interval=_INTERVAL
    )


@router.post("/sign-ins/outcome")
def outcome(body: SignInSecret, sessions: SessionsDep, settings: SettingsDep) -> SignInOutcome:
    """What has come of a log-in; the session of somebody who is known is given out once."""
    with unit_of_work(sessions) as session:
        row, opened = service.outcome(session, body.secret, key=settings.secret_key.get_secret_value())
    if row.refused is not None:
        raise service.refused(row.refused)
    if opened is not None:
        state = SignInState.SIGNED_IN
    elif row.subject is None:
        state = SignInState.WAITING
    else:
        state = SignInState.LINKED if row.user_id else SignInState.UNKNOWN
    told = state is SignInState.UNKNOWN
    return SignInOutcome(
        state=state,
        session=SessionOut.of(opened) if opened else None,
        email=row.email if told else None,
        name=row.name if told else None,
    )


@router.post("/sign-ins/accounts", status_code=201)
def register(
    body: SignInRegistration, sessions: SessionsDep, source: SourceDep, settings: SettingsDep
) -> SessionOut:
    """Registers somebody whom a provider vouched for; the account has no password until one is set."""
    with unit_of_work(sessions) as session:
        count_registration(
            session,
            source=source,
            per_source=settings.registrations_per_source,
            per_hour=settings.registrations_per_hour,
        )
    with unit_of_work(sessions) as session:
        key = settings.secret_key.get_secret_value()
        account, opened = service.register_with(
            session, body.secret, email=body.email, name=body.name, key=key
        )
        ask_whether_theirs(session, account.id, settings)
        return SessionOut.of(opened)


@router.get("/me/identities")
def list_identities(session: SessionDep, user: UserDep) -> list[IdentityOut]:
    """The asker's identities at providers."""
    return [IdentityOut.of(row) for row in identities.identities(session, user)]


@router.delete("/me/identities/{identity_id}", status_code=204)
def unlink(identity_id: IdentityId, session: SessionDep, user: UserDep) -> None:
    """Takes an identity from one's account: nobody logs in with it any more."""
    identities.unlink(session, user, identity_id)
