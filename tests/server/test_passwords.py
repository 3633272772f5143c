"""Passwords that are changed, forgotten and set anew; and who is an admin."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from server.accounts import service
from server.accounts.log_ins import ADDRESS_FROM_SOURCE
from server.accounts.models import Account, PasswordReset
from server.accounts.passwords import OWN_GUESSES, begin_reset
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict
from server.events import Event
from tests.server.conftest import PASSWORD, Person

People = Callable[..., Person]
Clients = Callable[[str | None], httpx.Client]
NEW = "another password of somebody"


def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


def log_in(nobody: httpx.Client, email: str, password: str) -> httpx.Response:
    return nobody.post("/sessions", json={"email": email, "password": password})


def said_of(sessions: SessionFactory, user_id: str) -> list[str]:
    with sessions() as session:
        rows = session.scalars(select(Event).where(Event.subject_id == UUID(user_id)).order_by(Event.id))
        return [row.what for row in rows]


def test_a_person_changes_their_password_and_their_other_sessions_end(
    person: People, nobody: httpx.Client, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    other = clients(log_in(nobody, ada.email, PASSWORD).json()["token"])
    script = clients(ada.http.post("/tokens", json={"name": "script"}).json()["token"])
    changed = ada.http.post("/me/password", json={"old_password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 204
    assert ada.http.get("/me").status_code == 200
    assert code_of(other.get("/me"), 401) == "token_revoked"
    assert script.get("/me").status_code == 200
    assert code_of(log_in(nobody, ada.email, PASSWORD), 401) == "wrong_credentials"
    assert log_in(nobody, ada.email, NEW).status_code == 201
    assert said_of(sessions, ada.id)[-1] == "password changed"


def test_api_tokens_end_too_where_that_is_asked_for(person: People, clients: Clients) -> None:
    ada = person()
    script = clients(ada.http.post("/tokens", json={"name": "script"}).json()["token"])
    body = {"old_password": PASSWORD, "new_password": NEW, "revoke_tokens": True}
    assert script.post("/me/password", json=body).status_code == 204
    assert script.get("/me").status_code == 200  # the one that asks
    assert code_of(ada.http.get("/me"), 401) == "token_revoked"


def test_a_wrong_old_password_changes_nothing_and_counts_as_a_log_in(person: People) -> None:
    ada = person()
    body = {"old_password": "wrong", "new_password": NEW}
    for _ in range(OWN_GUESSES.most):
        assert code_of(ada.http.post("/me/password", json=body), 403) == "wrong_password"
    assert code_of(ada.http.post("/me/password", json=body), 429) == "too_many_log_ins"


def test_a_token_that_may_only_read_changes_no_password(person: People, clients: Clients) -> None:
    token = person().http.post("/tokens", json={"name": "eyes", "scopes": ["read"]}).json()["token"]
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert code_of(clients(token).post("/me/password", json=body), 403) == "scope_missing"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("short", "at least 10 characters are needed"),
        ("x" * 257, "at most 256 characters are allowed"),
        ("", "at least 10"),
        (7, "has to be text"),
    ],
)
def test_a_new_password_follows_the_rules_and_is_never_repeated(
    person: People, new: object, said: str
) -> None:
    body = {"old_password": PASSWORD, "new_password": new}
    refused = person().http.post("/me/password", json=body)
    assert code_of(refused, 422)
    assert refused.json()["detail"].startswith(f"new_password: {said}")
    assert not new or f'"{new}"' not in refused.text


def test_a_reset_ends_everything_and_its_code_sets_a_password_once(
    person: People, admin: Person, nobody: httpx.Client, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    script = clients(ada.http.post("/tokens", json={"name": "script"}).json()["token"])
    begun = admin.http.post(f"/admin/users/{ada.id}/password-reset")
    assert begun.status_code == 201, begun.text
    code = begun.json()["code"]
    assert code_of(ada.http.get("/me"), 401) == "token_revoked"
    assert code_of(script.get("/me"), 401) == "token_revoked"
    assert code_of(log_in(nobody, ada.email, PASSWORD), 401) == "wrong_credentials"
    body = {"email": ada.email.upper(), "code": code, "password": NEW}
    wrong = {**body, "code": code[:-1] + "?"}
    assert code_of(nobody.post("/password-resets", json=wrong), 401) == "wrong_code"
    assert code_of(nobody.post("/password-resets", json={**body, "email": "no@one.org"}), 401) == "wrong_code"
    assert nobody.post("/password-resets", json=body).status_code == 204
    assert log_in(nobody, ada.email, NEW).status_code == 201
    assert code_of(nobody.post("/password-resets", json=body), 401) == "wrong_code"
    assert said_of(sessions, ada.id)[-2:] == ["password reset begun", "password reset"]
    with sessions() as session:
        assert session.get(PasswordReset, UUID(ada.id)) is None


def test_a_code_runs_out_after_a_day_and_a_new_one_ends_the_older(
    person: People, admin: Person, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada = person()
    first = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    second = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    body = {"email": ada.email, "code": first, "password": NEW}
    assert code_of(nobody.post("/password-resets", json=body), 401) == "wrong_code"
    with unit_of_work(sessions) as session:
        late = update(PasswordReset).where(PasswordReset.user_id == UUID(ada.id))
        session.execute(late.values(expires_at=PasswordReset.expires_at - timedelta(hours=24)))
    assert code_of(nobody.post("/password-resets", json={**body, "code": second}), 410) == "code_over"


def test_a_reset_lets_somebody_in_who_was_locked_out(
    person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada = person()
    for _ in range(ADDRESS_FROM_SOURCE.most + 1):
        log_in(nobody, ada.email, "a guess")
    assert code_of(log_in(nobody, ada.email, PASSWORD), 429) == "too_many_log_ins"
    with unit_of_work(sessions) as session:
        code, expires_at = begin_reset(session, UUID(ada.id), actor="tests")
        now = session.scalar(select(func.now()))
        assert now is not None
        assert expires_at - now == timedelta(hours=24)
    body = {"email": ada.email, "code": code, "password": NEW}
    assert nobody.post("/password-resets", json=body).status_code == 204
    assert log_in(nobody, ada.email, NEW).status_code == 201


def test_only_admins_reset_passwords_and_make_admins(person: People, admin: Person) -> None:
    ada, eve = person(), person("Eve")
    assert code_of(eve.http.post(f"/admin/users/{ada.id}/password-reset"), 403) == "admins_only"
    assert code_of(eve.http.patch(f"/admin/users/{eve.id}", json={"is_admin": True}), 403) == "admins_only"
    assert code_of(admin.http.post(f"/admin/users/{uuid4()}/password-reset"), 404) == "unknown_account"


def test_an_admin_makes_another_and_the_last_one_stays(
    person: People, admin: Person, nobody: httpx.Client, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    assert admin.http.patch(f"/admin/users/{ada.id}", json={"is_admin": True}).json()["is_admin"] is True
    again = clients(log_in(nobody, ada.email, PASSWORD).json()["token"])
    assert again.get("/admin/workers").status_code == 200
    assert again.patch(f"/admin/users/{ada.id}", json={"is_admin": False}).status_code == 200
    assert code_of(again.get("/admin/workers"), 403) == "admins_only"
    assert said_of(sessions, ada.id)[-2:] == ["made admin", "no longer admin"]
    with sessions() as session:
        session.execute(update(Account).where(Account.id != UUID(admin.id)).values(is_admin=False))
        with pytest.raises(Conflict, match="only admin"):
            service.set_admin(session, UUID(admin.id), is_admin=False, actor="tests")
        session.rollback()
