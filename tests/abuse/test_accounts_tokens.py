"""Tokens that are to outlive what they were made with: children, grandchildren, and those made while one is revoked."""

import threading
from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from server.accounts.models import Account, ApiToken
from server.accounts.tokens import token_hash
from server.database import SessionFactory, unit_of_work
from server.events import Event
from tests.server.conftest import PASSWORD, Person

People = Callable[..., Person]
Clients = Callable[[str | None], httpx.Client]


def made(http: httpx.Client, **wanted: object) -> dict[str, str]:
    answer = http.post("/tokens", json={"name": "a token", **wanted})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def test_what_a_token_has_made_ends_with_it(
    person: People, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    parent = made(ada.http, expires_in_days=1)
    child = made(clients(parent["token"]))
    grandchild = made(clients(child["token"]), scopes=["read"], expires_in_days=730)
    assert (parent["parent_id"], child["parent_id"], grandchild["parent_id"]) == (
        None,
        parent["id"],
        child["id"],
    )
    assert [one["parent_id"] for one in ada.http.get("/tokens").json()] == [None, parent["id"], child["id"]]
    assert ada.http.delete(f"/tokens/{parent['id']}").status_code == 204
    for one in (parent, child, grandchild):
        assert code_of(clients(one["token"]).get("/me"), 401) == "token_revoked"
    assert ada.http.get("/tokens").json() == []
    with sessions() as session:
        of_it = select(Event.what).where(Event.subject_id == UUID(grandchild["id"]))
        what = session.scalars(of_it.order_by(Event.created_at)).all()
    assert what == ["created", "revoked"]


def test_a_child_lasts_no_longer_and_may_no_more_than_its_parent(person: People, clients: Clients) -> None:
    ada = person()
    parent = made(ada.http, scopes=["read", "submit"], expires_in_days=1)
    for wanted in ({}, {"expires_in_days": 730}, {"expires_in_days": 1}):
        child = made(clients(parent["token"]), **wanted)
        assert datetime.fromisoformat(child["expires_at"]) <= datetime.fromisoformat(parent["expires_at"])
    refused = clients(parent["token"]).post("/tokens", json={"name": "x", "scopes": ["admin"]})
    assert code_of(refused, 403) == "scope_missing"
    assert made(clients(made(ada.http)["token"]), expires_in_days=3)["expires_at"]


def test_a_revoked_child_leaves_its_parent_and_a_second_time_does_nothing(
    person: People, clients: Clients
) -> None:
    ada = person()
    parent = made(ada.http)
    child, sister = made(clients(parent["token"])), made(clients(parent["token"]))
    for _ in range(2):
        assert ada.http.delete(f"/tokens/{child['id']}").status_code == 204
    assert clients(parent["token"]).get("/me").status_code == 200
    assert clients(sister["token"]).get("/me").status_code == 200


def test_a_child_that_was_left_over_of_a_revoked_parent_ends_by_revoking_it_again(
    person: People, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    parent = made(ada.http)
    child = made(clients(parent["token"]))
    with unit_of_work(sessions) as session:
        row = session.scalars(select(ApiToken).where(ApiToken.hash == token_hash(parent["token"]))).one()
        row.revoked_at = row.created_at
    assert ada.http.delete(f"/tokens/{parent['id']}").status_code == 204
    assert code_of(clients(child["token"]).get("/me"), 401) == "token_revoked"


def test_tokens_that_a_session_made_stay_when_it_ends(person: People, clients: Clients) -> None:
    ada = person()
    token = made(ada.http)
    assert ada.http.delete("/sessions/current").status_code == 204
    assert clients(token["token"]).get("/me").status_code == 200


@pytest.mark.parametrize("generation", [1, 2])
def test_no_token_survives_that_is_made_while_its_parent_is_revoked(
    person: People, clients: Clients, generation: int
) -> None:
    ada = person()
    top = made(ada.http)
    parent = top if generation == 1 else made(clients(top["token"]))
    children: list[str] = []

    def mint() -> None:
        http = clients(parent["token"])
        while (answer := http.post("/tokens", json={"name": "x"})).status_code == 201:
            children.append(answer.json()["token"])

    threads = [threading.Thread(target=mint) for _ in range(4)]
    for one in threads:
        one.start()
    while len(children) < 5:
        pass
    assert ada.http.delete(f"/tokens/{top['id']}").status_code == 204
    for one in threads:
        one.join()
    assert [clients(one).get("/me").status_code for one in children] == [401] * len(children)


def test_one_sees_ones_sessions_and_ends_one(person: People, nobody: httpx.Client, clients: Clients) -> None:
    ada, eve = person(), person("Eve")
    body = {"email": ada.email, "password": PASSWORD}
    other = clients(nobody.post("/sessions", json=body).json()["token"])
    first, second = ada.http.get("/sessions").json()
    assert (first["current"], second["current"]) == (True, False)
    assert code_of(eve.http.delete(f"/sessions/{second['id']}"), 404) == "unknown_session"
    reader = clients(made(ada.http, scopes=["read"])["token"])
    assert code_of(reader.delete(f"/sessions/{second['id']}"), 403) == "scope_missing"
    for _ in range(2):
        assert ada.http.delete(f"/sessions/{second['id']}").status_code == 204
    assert code_of(other.get("/me"), 401) == "token_revoked"
    assert len(ada.http.get("/sessions").json()) == 1


@pytest.mark.parametrize("tokens", [False, True])
def test_one_logs_out_everywhere(
    person: People, nobody: httpx.Client, clients: Clients, tokens: bool
) -> None:
    ada = person()
    body = {"email": ada.email, "password": PASSWORD}
    other = clients(nobody.post("/sessions", json=body).json()["token"])
    script = clients(made(ada.http)["token"])
    reader = clients(made(ada.http, scopes=["read"])["token"])
    assert code_of(reader.delete("/sessions"), 403) == "scope_missing"
    assert script.delete("/sessions", params={"tokens": tokens}).status_code == 204
    assert code_of(ada.http.get("/me"), 401) == "token_revoked"
    assert code_of(other.get("/me"), 401) == "token_revoked"
    assert script.get("/me").status_code == (401 if tokens else 200)


def test_an_admin_ends_all_that_a_person_has_in_hand(person: People, admin: Person, clients: Clients) -> None:
    ada = person()
    parent = made(ada.http)
    child = made(clients(parent["token"]))
    assert code_of(ada.http.delete(f"/admin/users/{ada.id}/tokens"), 403) == "admins_only"
    assert code_of(admin.http.delete(f"/admin/users/{uuid4()}/tokens"), 404) == "unknown_account"
    ended = admin.http.delete(f"/admin/users/{ada.id}/tokens")
    assert (ended.status_code, ended.json()) == (200, {"sessions": 1, "tokens": 2, "workers": 0})
    for token in (ada.token, parent["token"], child["token"]):
        assert code_of(clients(token).get("/me"), 401) == "token_revoked"


@pytest.mark.parametrize("workers", [False, True])
def test_workers_of_an_admin_who_cannot_be_trusted_end_if_that_is_asked_for(
    person: People, admin: Person, clients: Clients, sessions: SessionFactory, workers: bool
) -> None:
    ada, name = person(), f"run-{uuid4().hex[:8]}"
    with unit_of_work(sessions) as session:
        session.execute(update(Account).where(Account.id == UUID(ada.id)).values(is_admin=True))
        own = update(ApiToken).where(ApiToken.user_id == UUID(ada.id))
        session.execute(own.values(scopes=["admin", "read", "submit"]))
    script = clients(made(ada.http, scopes=["admin", "submit"])["token"])
    token = script.post("/admin/workers", json={"name": name}).json()["token"]
    (row,) = [one for one in admin.http.get("/admin/workers").json() if one["name"] == name]
    assert row["made_by"] == ada.id
    ended = admin.http.delete(f"/admin/users/{ada.id}/tokens", params={"workers": workers}).json()
    assert ended["workers"] == int(workers)
    assert clients(token).get("/worker/me").status_code == (401 if workers else 200)
    with unit_of_work(sessions) as session:
        session.execute(update(Account).where(Account.id == UUID(ada.id)).values(is_admin=False))
