"""Whose an address is, by mail and without: verified, changed, and written to where a password is forgotten."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select
from typer.testing import CliRunner

from client.commands import app
from server.accounts import codes
from server.accounts.codes import Purpose
from server.accounts.models import Account, Identity
from server.app import create_app
from server.database import SessionFactory, unit_of_work
from server.outbox.models import OutboxMessage
from server.settings import Settings
from tests.server.conftest import PASSWORD, Person, serving
from tests.server.organizer import Admin

NEW = "another password of somebody"
People = Callable[..., Person]


@pytest.fixture(scope="module")
def mailing(settings: Settings, served: object) -> Iterator[tuple[str, FastAPI]]:
    """The same installation with a mail server, and where whose address is verified matters."""
    told = {"smtp_url": SecretStr("smtp://127.0.0.1:1"), "mail_from": "proctor@hospital.example"}
    app = create_app(settings.model_copy(update=told | {"verify_addresses": True}))
    with serving(app) as url:
        yield url, app


@pytest.fixture
def http(mailing: tuple[str, FastAPI]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{mailing[0]}/api/v1", timeout=30) as client:
        yield client


@pytest.fixture
def mails(sessions: SessionFactory) -> Callable[[str], list[tuple[str, str]]]:
    """Subject and code of each mail to an address, in the order they were sent."""

    def to(address: str) -> list[tuple[str, str]]:
        with sessions() as session:
            sent = select(OutboxMessage).where(OutboxMessage.address == address).order_by(OutboxMessage.id)
            found = [delivery.payload for delivery in session.scalars(sent)]
        codes = [re.search(r"prm_\S+", mail["text"]) for mail in found]
        return [(mail["subject"], code[0] if code else "") for mail, code in zip(found, codes, strict=True)]

    return to


def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def test_the_command_that_registers_says_that_a_code_was_mailed(
    mailing: tuple[str, FastAPI], slug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_CONFIG_DIR", str(tmp_path))
    who = ["--name", "Ada", "--email", f"{slug}@example.org", "--password", PASSWORD]
    done = CliRunner().invoke(app, ["register", mailing[0], *who])
    assert "`proctor verify-address` takes it" in done.stderr, done.output


def test_who_registers_verifies_their_address_before_they_found_a_team(
    http: httpx.Client, mails: Callable[[str], list[tuple[str, str]]], slug: str, nobody: httpx.Client
) -> None:
    email = f"{slug}@example.org"
    registered = http.post("/accounts", json={"email": email, "name": "Ada", "password": PASSWORD})
    assert (registered.status_code, registered.json()["verified_at"]) == (201, None)
    token = http.post("/sessions", json={"email": email, "password": PASSWORD}).json()["token"]
    mine = {"Authorization": f"Bearer {token}"}
    founded = http.post(f"/challenges/{slug}/teams", json={"name": "The First"}, headers=mine)
    assert code_of(founded, 403) == "address_unverified"
    assert code_of(http.post("/invitations/none/accept", headers=mine), 403) == "address_unverified"
    assert http.post("/me/address-verification", headers=mine).status_code == 202
    (subject, first), (_, second) = mails(email)
    assert subject == "Is this your address?"
    verify = {"email": email, "code": second}
    wrong = verify | {"code": first[:-6] + "AAAA=="}
    assert code_of(http.post("/address-verifications", json=wrong), 401) == "wrong_code"
    other = {"email": "nobody@example.org", "code": first}
    assert code_of(http.post("/address-verifications", json=other), 401) == "wrong_code"
    for _ in range(2):
        assert http.post("/address-verifications", json=verify).status_code == 204
    assert http.get("/me", headers=mine).json()["verified_at"] is not None
    assert http.post(f"/challenges/{slug}/teams", json={"name": "The First"}, headers=mine).status_code == 201
    assert code_of(http.post("/me/address-verification", headers=mine), 409) == "unchanged"
    # Without a mail server nothing is promised.
    assert code_of(nobody.post("/password-resets/requests", json={"email": email}), 409) == "no_mail"


def test_a_forgotten_password_is_set_with_a_code_by_mail_once(
    http: httpx.Client,
    mails: Callable[[str], list[tuple[str, str]]],
    person: People,
    sessions: SessionFactory,
) -> None:
    ada = person()
    with unit_of_work(sessions) as session:
        session.add(Identity(user_id=UUID(ada.id), provider="orcid", subject=ada.email, email=None))
    begun = time.monotonic()
    known = http.post("/password-resets/requests", json={"email": ada.email})
    took = time.monotonic() - begun
    begun = time.monotonic()
    unknown = http.post("/password-resets/requests", json={"email": f"no-{ada.email}"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"null")
    assert min(took, time.monotonic() - begun) >= 0.25
    assert mails(f"no-{ada.email}") == []
    ((subject, code),) = mails(ada.email)
    assert subject == "A new password"
    assert ada.http.get("/me").status_code == 200  # whoever asks ends nothing
    reset = {"email": ada.email, "code": code, "password": NEW}
    assert http.post("/password-resets", json=reset).status_code == 204
    assert code_of(http.post("/password-resets", json=reset), 401) == "wrong_code"
    assert code_of(ada.http.get("/me"), 401) == "token_revoked"
    opened = http.post("/sessions", json={"email": ada.email, "password": NEW}).json()
    mine = {"Authorization": f"Bearer {opened['token']}"}
    # Nobody had shown whose the address is, so whoever linked an identity before may have been another.
    assert http.get("/me/identities", headers=mine).json() == []
    assert http.get("/me", headers=mine).json()["verified_at"] is not None
    for _ in range(4):
        assert http.post("/password-resets/requests", json={"email": ada.email}).status_code == 202
    again = http.post("/password-resets/requests", json={"email": ada.email})
    assert (code_of(again, 429), int(again.headers["Retry-After"]) > 0) == ("too_many_mails", True)


def test_what_is_kept_of_somebody_holds_no_code_of_a_mail_that_waits(
    http: httpx.Client, mails: Callable[[str], list[tuple[str, str]]], person: People
) -> None:
    ada = person()
    reader = ada.http.post("/tokens", json={"name": "r", "scopes": ["read"]}).json()["token"]
    assert http.post("/password-resets/requests", json={"email": ada.email}).status_code == 202
    change = {"email": f"new-{ada.email}", "password": PASSWORD}
    assert http.post("/me/address", json=change, headers=bearer(ada)).status_code == 202
    export = http.get("/me/export", headers={"Authorization": f"Bearer {reader}"})
    waiting = {row["address"]: row["status"] for row in export.json()["rows"]["outbox_messages"]}
    assert waiting == {ada.email: "queued", change["email"]: "queued"}
    codes_sent = [code for address in waiting for _, code in mails(address)]
    assert len(codes_sent) == 2
    assert all(code not in export.text for code in codes_sent)


def test_a_reset_by_mail_ends_identities_that_are_older_than_the_proof_of_the_address(
    http: httpx.Client,
    mails: Callable[[str], list[tuple[str, str]]],
    person: People,
    sessions: SessionFactory,
) -> None:
    # Somebody registers another's address and links an identity; whoever reads the mail verifies and takes over.
    ada = person()
    with unit_of_work(sessions) as session:
        session.add(Identity(user_id=UUID(ada.id), provider="orcid", subject=f"eve-{ada.email}", email=None))
    assert http.post("/me/address-verification", headers=bearer(ada)).status_code == 202
    verify = {"email": ada.email, "code": mails(ada.email)[-1][1]}
    assert http.post("/address-verifications", json=verify).status_code == 204
    with unit_of_work(sessions) as session:
        session.add(Identity(user_id=UUID(ada.id), provider="orcid", subject=f"ada-{ada.email}", email=None))
    assert http.post("/password-resets/requests", json={"email": ada.email}).status_code == 202
    reset = {"email": ada.email, "code": mails(ada.email)[-1][1], "password": NEW}
    assert http.post("/password-resets", json=reset).status_code == 204
    with sessions() as session:
        left = session.scalars(select(Identity.subject).where(Identity.user_id == UUID(ada.id))).all()
    assert left == [f"ada-{ada.email}"]


def test_where_an_admin_gave_a_code_none_is_mailed(
    http: httpx.Client, mails: Callable[[str], list[tuple[str, str]]], person: People, admin: Person
) -> None:
    ada = person()
    given = admin.http.post(f"/admin/users/{ada.id}/password-reset").json()["code"]
    assert http.post("/password-resets/requests", json={"email": ada.email}).status_code == 202
    assert mails(ada.email) == []
    reset = {"email": ada.email, "code": given, "password": NEW}
    assert http.post("/password-resets", json=reset).status_code == 204


def test_an_address_is_changed_by_who_reads_the_new_one_and_the_old_one_is_told(
    http: httpx.Client,
    mails: Callable[[str], list[tuple[str, str]]],
    person: People,
    sessions: SessionFactory,
) -> None:
    ada, bob = person(), person("Bob")
    new = f"new-{ada.email}"
    wrong = {"email": new, "password": "wrong"}
    assert code_of(http.post("/me/address", json=wrong, headers=bearer(ada)), 403) == "wrong_password"
    assert (
        http.post("/me/address", json=wrong | {"password": PASSWORD}, headers=bearer(ada)).status_code == 202
    )
    ((subject, code),) = mails(new)
    assert subject == "Your new address"
    sent = {"email": new, "code": code}
    assert code_of(http.put("/me/address", json=sent, headers=bearer(bob)), 401) == "wrong_code"
    other = sent | {"email": f"x{new}"}
    assert code_of(http.put("/me/address", json=other, headers=bearer(ada)), 401) == "wrong_code"
    assert http.put("/me/address", json=sent, headers=bearer(ada)).status_code == 204
    me = http.get("/me", headers=bearer(ada)).json()
    assert (me["email"], me["verified_at"] is not None) == (new, True)
    assert code_of(http.put("/me/address", json=sent, headers=bearer(ada)), 401) == "wrong_code"
    assert mails(ada.email) == [("Your address was changed", "")]
    taken = {"email": new, "password": PASSWORD}
    assert http.post("/me/address", json=taken, headers=bearer(bob)).status_code == 202
    code = mails(new)[-1][1]
    answer = http.put("/me/address", json={"email": new, "code": code}, headers=bearer(bob))
    assert code_of(answer, 409) == "email_taken"
    # Whoever registers it at the same moment was first.
    third = {"email": f"third-{new}", "password": PASSWORD}
    assert http.post("/me/address", json=third, headers=bearer(bob)).status_code == 202
    wanted = {"email": third["email"], "code": mails(third["email"])[0][1]}
    with ThreadPoolExecutor(1) as threads, sessions() as session:
        session.add(Account(email=third["email"], name="Cyd", password_hash="!"))
        session.flush()
        changing = threads.submit(http.put, "/me/address", json=wanted, headers=bearer(bob))
        assert not wait([changing], timeout=1).done, "it waits for what the other does"
        session.commit()
        assert code_of(changing.result(), 409) == "email_taken"


def test_an_admin_verifies_an_address_without_mail(
    command: Admin, person: People, nobody: httpx.Client, sessions: SessionFactory
) -> None:
    ada, bob = person(), person("Bob")
    assert command("verify-address", ada.email).exit_code == 1  # asks first, and nobody is there
    done = command("verify-address", ada.email.upper(), "--yes")
    assert (done.exit_code, "is verified" in done.stdout) == (0, True), done.output
    again = command("verify-address", ada.email, "--yes")
    assert (again.exit_code, "is verified already" in again.output) == (1, True)
    code = command("verify-address", bob.email, "--code").stdout.strip()
    assert nobody.post("/address-verifications", json={"email": bob.email, "code": code}).status_code == 204
    assert command("verify-address", "nobody@example.org", "--yes").exit_code == 1
    with sessions() as session:
        verified = select(Account.verified_at).where(Account.email.in_([ada.email, bob.email]))
        assert None not in session.scalars(verified).all()


def test_a_code_holds_for_what_it_was_made_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    key, user = "k" * 40, UUID(int=7)
    code, _ = codes.made(key, Purpose.VERIFY, user, "a@b")
    assert codes.holds(key, code, Purpose.VERIFY, user, "a@b")
    for wrong in (
        codes.holds("o" * 40, code, Purpose.VERIFY, user, "a@b"),
        codes.holds(key, code, Purpose.RESET, user, "a@b"),
        codes.holds(key, code, Purpose.VERIFY, UUID(int=8), "a@b"),
        codes.holds(key, code, Purpose.VERIFY, user, "a@c"),
        codes.holds(key, "prm_é", Purpose.VERIFY, user, "a@b"),
        codes.holds(key, code[:-8], Purpose.VERIFY, user, "a@b"),
    ):
        assert wrong is False
    monkeypatch.setitem(codes.LASTS, Purpose.VERIFY, timedelta(seconds=-1))
    code, _ = codes.made(key, Purpose.VERIFY, user, "a@b")
    assert codes.holds(key, code, Purpose.VERIFY, user, "a@b") is None
