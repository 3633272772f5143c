"""Registration, log-ins, API tokens and run workers' tokens, over HTTP."""

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from server.accounts import log_ins, service
from server.accounts.models import Account, ApiToken, Tally
from server.accounts.tokens import create_worker_token, token_hash
from server.database import SessionFactory, unit_of_work
from server.errors import Unauthorized
from tests.server.conftest import PASSWORD, SETUP_TOKEN, Person

People = Callable[..., Person]
Clients = Callable[[str | None], httpx.Client]


def _code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def test_a_person_registers_logs_in_and_is_told_who_they_are(
    nobody: httpx.Client, clients: Clients, sessions: SessionFactory
) -> None:
    email = f"{uuid4().hex}@example.org"
    account = nobody.post(
        "/accounts", json={"email": email.upper(), "name": " Ada Lovelace ", "password": PASSWORD}
    )
    assert account.status_code == 201
    opened = nobody.post("/sessions", json={"email": email, "password": PASSWORD})
    assert opened.status_code == 201
    me = clients(opened.json()["token"]).get("/me").json()
    assert (me["id"], me["name"], me["email"]) == (account.json()["id"], "Ada Lovelace", email)
    assert (me["is_admin"], me["scopes"]) == (False, ["organize", "read", "submit"])
    with sessions() as session:  # secrets are stored as hashes only
        row = session.scalars(select(Account).where(Account.email == email)).one()
        hashes = session.scalars(select(ApiToken.hash).where(ApiToken.user_id == row.id)).all()
    assert row.password_hash.startswith("$argon2id$")
    assert hashes == [token_hash(opened.json()["token"])]


def test_an_address_registers_once_whatever_its_case(person: People, nobody: httpx.Client) -> None:
    ada = person()
    again = {"email": ada.email.upper(), "name": "Eve", "password": "another password"}
    assert _code(nobody.post("/accounts", json=again), 409) == "email_taken"


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "too short"},
        {"email": "no-at-sign"},
        {"name": "  "},
        {"name": "a\nb"},
        {"email": "a\x00@b"},
    ],
)
def test_a_bad_registration_names_its_field(nobody: httpx.Client, wrong: dict[str, str]) -> None:
    body = {"email": f"{uuid4().hex}@example.org", "name": "Ada", "password": "long enough", **wrong}
    answer = nobody.post("/accounts", json=body)
    assert _code(answer, 422) == "invalid_request"
    assert [one["field"] for one in answer.json()["problems"]] == list(wrong)


def test_the_setup_token_makes_one_admin_only(admin: Person, nobody: httpx.Client) -> None:
    assert admin.http.get("/me").json()["scopes"] == ["admin", "organize", "read", "submit"]
    body = {"email": f"{uuid4().hex}@example.org", "name": "Eve", "password": "long enough"}
    assert _code(nobody.post("/accounts", json={**body, "setup_token": SETUP_TOKEN}), 403) == "setup_done"
    assert _code(nobody.post("/accounts", json={**body, "setup_token": "guess"}), 403) == "wrong_setup_token"


def test_unknown_people_and_wrong_passwords_get_the_same_answer(person: People, nobody: httpx.Client) -> None:
    ada = person()
    wrong = nobody.post("/sessions", json={"email": ada.email, "password": "wrong"})
    unknown = nobody.post("/sessions", json={"email": "nobody@example.org", "password": "wrong"})
    assert _code(wrong, 401) == "wrong_credentials"
    same = {"instance": "the id of the request"}
    assert wrong.json() | same == unknown.json() | same


def test_many_wrong_passwords_from_one_place_shut_it_even_to_the_right_one_for_a_while(
    person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada, bob = person(), person()
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now()))
    for _ in range(log_ins.ADDRESS_FROM_SOURCE.most):
        assert nobody.post("/sessions", json={"email": ada.email, "password": "wrong"}).status_code == 401
    right = {"email": ada.email, "password": PASSWORD}
    refused = nobody.post("/sessions", json=right)
    assert _code(refused, 429) == "too_many_log_ins"
    assert 0 < int(refused.headers["Retry-After"]) <= log_ins.ADDRESS_FROM_SOURCE.within.total_seconds()
    assert nobody.post("/sessions", json={"email": bob.email, "password": PASSWORD}).status_code == 201
    with unit_of_work(sessions) as session:
        session.execute(update(Tally).values(ends=func.now()))
    assert nobody.post("/sessions", json=right).status_code == 201


def test_a_right_password_clears_the_count(person: People, nobody: httpx.Client) -> None:
    ada = person()
    for password in ["wrong"] * 6 + [PASSWORD] + ["wrong"] * 6:
        answer = nobody.post("/sessions", json={"email": ada.email, "password": password})
        assert answer.status_code == (201 if password == PASSWORD else 401)


def test_logging_out_ends_the_session(person: People) -> None:
    ada = person()
    assert ada.http.delete("/sessions/current").status_code == 204
    assert _code(ada.http.get("/me"), 401) == "token_revoked"


def test_an_expired_token_says_so(person: People, sessions: SessionFactory) -> None:
    ada = person()
    with unit_of_work(sessions) as session:
        session.execute(
            update(ApiToken).where(ApiToken.hash == token_hash(ada.token)).values(expires_at=func.now())
        )
    assert _code(ada.http.get("/me"), 401) == "token_expired"


@pytest.mark.parametrize(("token", "code"), [(None, "not_signed_in"), ("prc_guess", "invalid_token")])
def test_without_a_valid_token_nothing_is_shown(clients: Clients, token: str | None, code: str) -> None:
    assert _code(clients(token).get("/me"), 401) == code


def test_an_api_token_is_shown_once_and_works_until_it_is_revoked(person: People, clients: Clients) -> None:
    ada = person()
    made = ada.http.post("/tokens", json={"name": "laptop", "expires_in_days": 30}).json()
    assert made["token"].startswith("prc_")
    script = clients(made["token"])
    assert script.get("/me").json()["scopes"] == ["read", "submit"]
    listed = ada.http.get("/tokens").json()
    assert [one["id"] for one in listed] == [made["id"]]
    assert made["token"] not in str(listed)
    assert ada.http.delete(f"/tokens/{made['id']}").status_code == 204
    assert _code(script.get("/me"), 401) == "token_revoked"
    assert ada.http.get("/tokens").json() == []


def test_a_token_never_gives_more_than_the_one_that_asks(person: People, clients: Clients, slug: str) -> None:
    ada = person()
    assert _code(ada.http.post("/tokens", json={"name": "x", "scopes": ["admin"]}), 403) == "scope_missing"
    read = clients(ada.http.post("/tokens", json={"name": "reader", "scopes": ["read"]}).json()["token"])
    assert _code(read.post("/tokens", json={"name": "x", "scopes": ["read"]}), 403) == "scope_missing"
    assert _code(read.post(f"/challenges/{slug}/teams", json={"name": "Readers"}), 403) == "scope_missing"
    assert read.get("/me").status_code == 200


def test_an_admins_token_without_the_scope_is_no_admins_token(admin: Person, clients: Clients) -> None:
    token = admin.http.post("/tokens", json={"name": "script", "scopes": ["submit"]}).json()["token"]
    assert _code(clients(token).get("/admin/workers"), 403) == "admins_only"
    assert admin.http.get("/admin/workers").status_code == 200


def test_nobody_revokes_anothers_token(person: People) -> None:
    ada, eve = person(), person()
    token = ada.http.post("/tokens", json={"name": "laptop"}).json()
    assert _code(eve.http.delete(f"/tokens/{token['id']}"), 404) == "unknown_token"


def test_run_workers_have_tokens_of_their_own_kind(
    admin: Person, person: People, clients: Clients, sessions: SessionFactory
) -> None:
    name = f"run-{uuid4().hex[:8]}"
    token = admin.http.post("/admin/workers", json={"name": name}).json()["token"]
    assert _code(admin.http.post("/admin/workers", json={"name": name}), 409) == "worker_exists"
    assert _code(person().http.post("/admin/workers", json={"name": "mine"}), 403) == "admins_only"
    assert _code(clients(token).get("/me"), 401) == "worker_token"
    with sessions() as session:
        assert service.authenticate_run_worker(session, token).name == name
        with pytest.raises(Unauthorized):
            service.authenticate_run_worker(session, admin.token)
    (row,) = [one for one in admin.http.get("/admin/workers").json() if one["name"] == name]
    assert admin.http.delete(f"/admin/workers/{row['id']}").status_code == 200
    with sessions() as session, pytest.raises(Unauthorized, match="revoked"):
        service.authenticate_run_worker(session, token)


def test_a_worker_that_gets_a_new_token_stays_the_same_worker(sessions: SessionFactory) -> None:
    name = f"run-{uuid4().hex[:8]}"
    with unit_of_work(sessions) as session:
        first = create_worker_token(session, name)
        worker = service.authenticate_run_worker(session, first)
        second = create_worker_token(session, name, token="prw_" + uuid4().hex)
    with sessions() as session:
        assert service.authenticate_run_worker(session, second) == worker
        with pytest.raises(Unauthorized):
            service.authenticate_run_worker(session, first)
