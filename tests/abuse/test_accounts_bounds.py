"""Rows that strangers or one account could make without end: accounts, counts, tokens, sessions, invitations."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from server.accounts import log_ins, registration, tallies, tokens
from server.accounts.models import ApiToken, Tally, TokenKind
from server.accounts.tallies import Bound
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.errors import NotNow
from server.settings import Settings
from server.teams import invitations
from server.teams.models import Invitation
from tests.server.conftest import PASSWORD, Person, serving

People = Callable[..., Person]


@pytest.fixture(scope="module")
def strict(settings: Settings) -> Iterator[httpx.Client]:
    """A server that lets three people register per source and hour, and five in all."""
    bounds = {"registrations_per_source": 3, "registrations_per_hour": 5}
    app = create_app(settings.model_copy(update=bounds))
    with serving(app) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        yield client
    app.state.sessions.kw["bind"].dispose()


def registered(client: httpx.Client, source: str, email: str | None = None) -> httpx.Response:
    body = {"email": email or f"{uuid4().hex}@example.org", "name": "Ada", "password": PASSWORD}
    return client.post("/accounts", json=body, headers={"X-Forwarded-For": source})


def test_accounts_are_bounded_per_source_and_in_all(strict: httpx.Client, sessions: SessionFactory) -> None:
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now()))
    one, other = "192.0.2.10", "192.0.2.11"
    assert [registered(strict, one).status_code for _ in range(4)] == [201, 201, 201, 429]
    assert [registered(strict, other).status_code for _ in range(3)] == [201, 201, 429]
    refused = registered(strict, "192.0.2.12")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_registrations")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600


def test_asking_which_addresses_have_accounts_is_bounded_too(
    strict: httpx.Client, sessions: SessionFactory, person: People
) -> None:
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now()))
    ada = person()
    answers = [registered(strict, "192.0.2.20", ada.email).status_code for _ in range(5)]
    assert answers == [409, 409, 409, 429, 429]


def test_refused_registrations_are_not_hashed(sessions: SessionFactory) -> None:
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now()))
        registration.count_registration(session, source="192.0.2.30", per_source=1, per_hour=9)
    with pytest.raises(NotNow), unit_of_work(sessions) as session:
        registration.count_registration(session, source="192.0.2.30", per_source=1, per_hour=9)


@pytest.mark.parametrize(
    "bound",
    [
        log_ins.SOURCE,
        log_ins.ADDRESS_FROM_SOURCE,
        log_ins.ADDRESS_FROM_SOURCE_DAILY,
        log_ins.ADDRESS_DAILY,
        registration.FROM_SOURCE,
        registration.FROM_ANYWHERE,
    ],
)
def test_what_strangers_are_counted_in_has_a_bounded_number_of_rows(bound: Bound) -> None:
    keys = {bound.key(secrets.token_hex(8), secrets.token_hex(8)) for _ in range(1000)}
    assert all(key.startswith(f"{bound.name}:") and len(key) == len(bound.name) + 5 for key in keys)
    assert bound.key("\ud800", "x")


def test_a_count_ends_with_its_window_and_is_not_prolonged_by_those_refused(sessions: SessionFactory) -> None:
    bound = Bound(f"test-{uuid4().hex}", 2, log_ins.DEVICE.within)
    with unit_of_work(sessions) as session:
        secret = session.info[tallies.ROW_KEY]
        assert [tallies.count(session, bound, "x") for _ in range(2)] == [None, None]
        first = session.scalar(select(Tally.ends).where(Tally.key == bound.key("x", secret=secret)))
        assert tallies.count(session, bound, "x") is not None
        assert session.scalar(select(Tally.ends).where(Tally.key == bound.key("x", secret=secret))) == first
        session.execute(
            update(Tally).where(Tally.key == bound.key("x", secret=secret)).values(ends=func.now())
        )
        assert tallies.count(session, bound, "x") is None


def test_an_account_makes_a_bounded_number_of_tokens_a_day(
    person: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "NEW_TOKENS", tokens.NEW_TOKENS.at(5))
    ada = person()
    for _ in range(5):
        made = ada.http.post("/tokens", json={"name": "x"})
        assert made.status_code == 201
        assert ada.http.delete(f"/tokens/{made.json()['id']}").status_code == 204
    refused = ada.http.post("/tokens", json={"name": "x"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_new_tokens")


def test_a_team_makes_a_bounded_number_of_invitations_a_day(
    captain: Person, team_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "NEW_INVITATIONS", invitations.NEW_INVITATIONS.at(5))
    for _ in range(5):
        made = captain.http.post(f"/teams/{team_id}/invitations")
        assert made.status_code == 201
        assert captain.http.delete(f"/teams/{team_id}/invitations/{made.json()['id']}").status_code == 204
    refused = captain.http.post(f"/teams/{team_id}/invitations")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_invitations")


def test_a_person_has_a_bounded_number_of_sessions_and_the_oldest_ends(
    person: People, sessions: SessionFactory
) -> None:
    ada = person()
    for _ in range(log_ins.SESSIONS + 5):
        with unit_of_work(sessions) as session:
            tried = log_ins.begin(
                session, email=ada.email, source="192.0.2.40", shown=None, key="k" * 40, per_source=100
            )
            log_ins.finish(session, tried, key="k" * 40)
    assert ada.http.get("/me").status_code == 401
    with sessions() as session:
        live = session.scalar(
            select(func.count()).where(
                ApiToken.user_id == UUID(ada.id),
                ApiToken.kind == TokenKind.SESSION,
                ApiToken.revoked_at.is_(None),
            )
        )
    assert live == log_ins.SESSIONS


def test_a_team_has_a_bounded_number_of_members(
    captain: Person, person: People, team_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.teams.membership.MEMBERS", 2)
    codes = [captain.http.post(f"/teams/{team_id}/invitations").json()["code"] for _ in range(2)]
    assert person("Bob").http.post(f"/invitations/{codes[0]}/accept").status_code == 200
    refused = person("Eve").http.post(f"/invitations/{codes[1]}/accept")
    assert (refused.status_code, refused.json()["code"]) == (409, "team_full")


def test_rows_of_tokens_sessions_and_invitations_that_ended_long_ago_go(
    captain: Person, team_id: str, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    token = captain.http.post("/tokens", json={"name": "x"}).json()["id"]
    invitation = captain.http.post(f"/teams/{team_id}/invitations").json()["id"]
    assert captain.http.delete(f"/tokens/{token}").status_code == 204
    assert captain.http.delete(f"/teams/{team_id}/invitations/{invitation}").status_code == 204
    later = captain.http.post("/tokens", json={"name": "y"}).json()["id"]
    kept = captain.http.post(f"/teams/{team_id}/invitations").json()["id"]
    with unit_of_work(sessions) as session:
        mine = ApiToken.user_id == UUID(captain.id), ApiToken.kind == TokenKind.SESSION
        old = session.scalars(select(ApiToken.id).where(*mine)).all()
        times = {
            "created_at": func.now() - timedelta(days=91),
            "revoked_at": ApiToken.revoked_at - timedelta(days=91),
        }
        session.execute(update(ApiToken).where(ApiToken.id.in_([UUID(token), *old])).values(times))
        gone = {"revoked_at": func.now() - timedelta(days=91)}
        session.execute(update(Invitation).where(Invitation.id == UUID(invitation)).values(gone))
    captain.http.post("/tokens", json={"name": "z"})
    captain.http.post(f"/teams/{team_id}/invitations")
    assert nobody.post("/sessions", json={"email": captain.email, "password": PASSWORD}).status_code == 201
    with sessions() as session:
        tokens_left = set(session.scalars(select(ApiToken.id).where(ApiToken.user_id == UUID(captain.id))))
        codes_left = set(session.scalars(select(Invitation.id).where(Invitation.team_id == UUID(team_id))))
    assert not tokens_left & {UUID(token), *old}
    assert UUID(later) in tokens_left
    assert codes_left & {UUID(invitation), UUID(kept)} == {UUID(kept)}
