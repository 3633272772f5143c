"""What somebody whose account is closed still tries, and what others try with the means of closing."""

import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from server.accounts.models import Account
from server.closing.service import close_account
from server.database import SessionFactory, unit_of_work
from server.errors import Conflict
from server.events import Event
from server.teams.models import Invitation
from tests.server.conftest import PASSWORD, Person
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin as Command

People = Callable[..., Person]
Clients = Callable[[str | None], httpx.Client]


def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def log_in(nobody: httpx.Client, somebody: Person, password: str = PASSWORD) -> httpx.Response:
    return nobody.post("/sessions", json={"email": somebody.email, "password": password})


def test_nothing_of_a_closed_account_opens_anything(
    person: People, admin: Person, nobody: httpx.Client, clients: Clients, sessions: SessionFactory
) -> None:
    ada = person()
    token = ada.http.post("/tokens", json={"name": "x"}).json()["token"]
    child = clients(token).post("/tokens", json={"name": "x"}).json()["token"]
    code = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    body = {"email": ada.email, "code": code, "password": PASSWORD}
    assert nobody.post("/password-resets", json=body).status_code == 204
    code = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    closed = admin.http.post(f"/admin/users/{ada.id}/close", json={"why": "Played unfairly."})
    assert (closed.status_code, closed.json()["closed_why"]) == (200, "Played unfairly.")
    for one in (ada.token, token, child):
        assert code_of(clients(one).get("/me"), 401) == "token_revoked"
    assert code_of(nobody.post("/password-resets", json={**body, "code": code}), 401) == "wrong_code"
    again = {"email": ada.email, "name": "Ada", "password": PASSWORD}
    assert code_of(nobody.post("/accounts", json=again), 409) == "email_taken"
    assert code_of(admin.http.post(f"/admin/users/{ada.id}/password-reset"), 409) == "account_closed"
    with sessions() as session:
        rows = session.scalars(select(Event).where(Event.subject_id == UUID(ada.id)).order_by(Event.id)).all()
    assert (rows[-1].what, rows[-1].why, rows[-1].actor) == (
        "account closed",
        "Played unfairly.",
        f"user:{admin.id}",
    )


def test_only_who_knows_the_password_learns_that_an_account_is_closed_and_it_is_opened_again(
    person: People, admin: Person, nobody: httpx.Client, clients: Clients
) -> None:
    ada = person()
    for _ in range(2):
        assert admin.http.post(f"/admin/users/{ada.id}/close").status_code == 200
    assert code_of(log_in(nobody, ada, "wrong"), 401) == "wrong_credentials"
    assert code_of(log_in(nobody, ada), 403) == "account_closed"
    assert admin.http.post(f"/admin/users/{ada.id}/reopen").json()["closed_at"] is None
    assert code_of(admin.http.post(f"/admin/users/{ada.id}/reopen"), 409) == "not_closed"
    assert clients(log_in(nobody, ada).json()["token"]).get("/me").status_code == 200
    assert ada.http.get("/me").status_code == 401


def test_the_team_goes_on_with_another_captain_and_without_their_invitations(
    captain: Person, person: People, admin: Person, team_id: str
) -> None:
    bob = person("Bob")
    codes = [captain.http.post(f"/teams/{team_id}/invitations").json()["code"] for _ in range(2)]
    assert bob.http.post(f"/invitations/{codes[0]}/accept").status_code == 200
    assert admin.http.post(f"/admin/users/{captain.id}/close").status_code == 200
    members = bob.http.get(f"/teams/{team_id}").json()["members"]
    assert [(one["name"], one["is_captain"]) for one in members] == [("Bob", True)]
    assert code_of(person("Eve").http.post(f"/invitations/{codes[1]}/accept"), 410) == "invitation_over"


def test_a_team_of_one_keeps_what_it_submitted_and_its_member_gets_it_back(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client, person: People
) -> None:
    me = team.http.get("/me").json()
    before = team.http.get(f"/teams/{team.team}").json()
    invitation = team.http.post(f"/teams/{team.team}/invitations").json()["code"]
    assert admin.http.post(f"/admin/users/{me['id']}/close").status_code == 200
    assert team.http.get("/me").status_code == 401
    listed = admin.http.get("/admin/teams", params={"challenge": lab.slug}).json()["items"]
    assert [(one["name"], len(one["members"])) for one in listed if one["id"] == team.team] == [
        ("The Team", 1)
    ]
    assert code_of(person().http.post(f"/invitations/{invitation}/accept"), 410) == "invitation_over"
    successor = person("Next")
    ours = admin.http.post(f"/teams/{team.team}/invitations").json()["code"]
    assert successor.http.post(f"/invitations/{ours}/accept").status_code == 200
    members = successor.http.get(f"/teams/{team.team}").json()["members"]
    assert [(one["name"], one["is_captain"]) for one in members] == [
        (before["members"][0]["name"], False),
        ("Next", True),
    ]
    assert code_of(successor.http.delete(f"/teams/{team.team}/members/me"), 409) == "last_member"


@pytest.mark.parametrize("how", ["close", "leave"])
def test_no_invitation_outlives_its_maker_who_invites_while_going(
    captain: Person, person: People, admin: Person, team_id: str, sessions: SessionFactory, how: str
) -> None:
    bob, made, refused = person("Bob"), [], []
    first = captain.http.post(f"/teams/{team_id}/invitations").json()["code"]
    assert bob.http.post(f"/invitations/{first}/accept").status_code == 200

    def invite() -> None:
        while (answer := captain.http.post(f"/teams/{team_id}/invitations")).status_code == 201:
            made.append(answer.json()["id"])
        refused.append(answer.status_code)

    threads = [threading.Thread(target=invite) for _ in range(3)]
    for one in threads:
        one.start()
    while len(made) < 3:
        time.sleep(0.005)
    if how == "close":
        assert admin.http.post(f"/admin/users/{captain.id}/close").status_code == 200
    else:
        assert captain.http.delete(f"/teams/{team_id}/members/me").status_code == 204
    for one in threads:
        one.join()
    assert set(refused) <= {401, 403, 404, 409}, refused
    with sessions() as session:
        left = select(Invitation.id).where(Invitation.team_id == UUID(team_id), Invitation.used_at.is_(None))
        assert session.scalars(left.where(Invitation.revoked_at.is_(None))).all() == []


def test_a_person_closes_their_own_account_with_their_password_only(
    person: People, clients: Clients, nobody: httpx.Client
) -> None:
    ada = person()
    reader = clients(ada.http.post("/tokens", json={"name": "x", "scopes": ["read"]}).json()["token"])
    assert code_of(reader.post("/me/close", json={"password": PASSWORD}), 403) == "scope_missing"
    assert code_of(ada.http.post("/me/close", json={"password": "a guess"}), 403) == "wrong_password"
    assert code_of(nobody.post("/me/close", json={"password": PASSWORD}), 401) == "not_signed_in"
    assert ada.http.post("/me/close", json={"password": PASSWORD}).status_code == 204
    assert ada.http.get("/me").status_code == 401
    assert code_of(log_in(nobody, ada), 403) == "account_closed"


def test_passwords_are_not_guessed_through_closing(person: People) -> None:
    ada = person()
    answers = [ada.http.post("/me/close", json={"password": "a guess"}).status_code for _ in range(12)]
    assert answers == [403] * 10 + [429] * 2


def test_only_admins_close_others_and_the_last_admin_stays(
    person: People, admin: Person, sessions: SessionFactory
) -> None:
    ada, eve = person(), person("Eve")
    for path in (f"/admin/users/{ada.id}/close", f"/admin/users/{ada.id}/reopen"):
        assert code_of(eve.http.post(path), 403) == "admins_only"
    assert code_of(admin.http.post(f"/admin/users/{uuid4()}/close"), 404) == "unknown_account"
    with sessions() as session:
        session.execute(update(Account).where(Account.id != UUID(admin.id)).values(is_admin=False))
        with pytest.raises(Conflict, match="only admin"):
            close_account(session, UUID(admin.id), actor="tests")
        session.rollback()


def test_a_closed_admin_is_no_other_admin(person: People, admin: Person, sessions: SessionFactory) -> None:
    ada = person()
    assert admin.http.patch(f"/admin/users/{ada.id}", json={"is_admin": True}).status_code == 200
    assert admin.http.post(f"/admin/users/{ada.id}/close").status_code == 200
    with sessions() as session:
        others = Account.id.not_in([UUID(admin.id), UUID(ada.id)])
        session.execute(update(Account).where(others).values(is_admin=False))
        with pytest.raises(Conflict, match="only admin"):
            close_account(session, UUID(admin.id), actor="tests")
        session.rollback()
    with unit_of_work(sessions) as session:
        session.execute(update(Account).where(Account.id == UUID(ada.id)).values(is_admin=False))


def test_commands_close_reopen_and_revoke(
    command: Command, person: People, first_admin: tuple[str, str, str], nobody: httpx.Client
) -> None:
    ada = person()
    for name in ("close-account", "revoke-tokens"):
        refused = command(name, ada.email)
        assert (refused.exit_code, "--yes" in refused.output) == (1, True)
        assert command(name, "nobody@example.org", "--yes").exit_code == 1
    assert ada.http.get("/me").status_code == 200
    revoked = command("revoke-tokens", ada.email.upper(), "--yes")
    assert (revoked.exit_code, "1 sessions and 0 API tokens" in revoked.output) == (0, True), revoked.output
    assert ada.http.get("/me").status_code == 401
    assert command("close-account", ada.email, "--why", "asked for it", "--yes").exit_code == 0
    assert code_of(log_in(nobody, ada), 403) == "account_closed"
    assert "closed" in command("people", ada.email).output
    assert command("reopen-account", ada.email).exit_code == 0
    assert log_in(nobody, ada).status_code == 201
    again = command("reopen-account", ada.email)
    assert (again.exit_code, "not closed" in again.output) == (1, True)
