"""Log-ins through a provider that really signs: whom they let in, what is linked to whom, and what is not believed."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from sqlalchemy import func, select, update

from server.accounts.models import Account
from server.app import create_app
from server.database import SessionFactory
from server.errors import BadGateway
from server.providers import Provider
from server.settings import Settings
from server.sign_in import fetching, relying
from server.sign_in.models import SignIn
from server.sign_in.relying import RelyingParty
from tests.server.conftest import PASSWORD, Person, serving
from tests.server.provider import CLIENT, SECRET, State, new_key, provider, query


@dataclass
class Installation:
    """A server with providers; `http` is nobody's client of its API, and `browser` somebody's browser."""

    url: str
    http: httpx.Client
    browser: httpx.Client
    orcid: State

    def begin(self, name: str = "orcid", http: httpx.Client | None = None) -> dict[str, Any]:
        path = "/me/identities" if http else "/sign-ins"
        answer = (http or self.http).post(path, json={"provider": name, "asked_by": "a test"})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def leave(self, begun: dict[str, Any], browser: httpx.Client | None = None) -> dict[str, str]:
        """What the browser brings back from the provider."""
        shown = (browser or self.browser).get(begun["url"])
        assert shown.status_code == 200, shown.text
        assert "a test, from 127.0.0.0/24" in shown.text
        sent = self.type(begun, begun["code"].lower(), browser=browser)
        assert sent.status_code == 200, sent.text
        found = re.search(r'url=(http[^"]+)"', sent.text)
        assert found is not None
        return self.orcid.authorize(found[1].replace("&amp;", "&"))

    def type(
        self, begun: dict[str, Any], code: str, *, browser: httpx.Client | None = None, origin: str = ""
    ) -> httpx.Response:
        headers = {"Origin": origin or self.url}
        return (browser or self.browser).post(begun["url"], data={"code": code}, headers=headers)

    def back(self, brought: dict[str, str], name: str = "orcid", **more: str) -> httpx.Response:
        return self.browser.get(f"{self.url}/sign-in/back/{name}?{query(brought | more)}")

    def outcome(self, begun: dict[str, Any]) -> httpx.Response:
        return self.http.post("/sign-ins/outcome", json={"secret": begun["secret"]})

    def through(self, **person: Any) -> dict[str, Any]:
        """A log-in of `person` that has come back."""
        self.orcid.person = person
        begun = self.begin()
        done = self.back(self.leave(begun))
        assert done.status_code == 200, done.text
        return begun

    def register(self, begun: dict[str, Any], email: str) -> httpx.Response:
        return self.http.post(
            "/sign-ins/accounts", json={"secret": begun["secret"], "email": email, "name": "Ada"}
        )

    def me(self, token: str) -> dict[str, Any]:
        return dict(self.http.get("/me", headers={"Authorization": f"Bearer {token}"}).json())


@pytest.fixture(scope="module")
def running(
    settings: Settings, served: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, State, FastAPI]]:
    secret = tmp_path_factory.mktemp("oidc") / "secret"
    secret.write_text(f"{SECRET}\n")
    with provider() as state:
        common = {"client_id": CLIENT, "client_secret_file": secret}
        plain = {f"{what}_endpoint": f"{state.url}/{what}" for what in ("authorization", "token", "user")}
        providers = (
            Provider.model_validate({"name": "orcid", "title": "ORCID", "issuer": state.url, **common}),
            Provider.model_validate({"name": "plain", "client_id": CLIENT, "client_secret": SECRET, **plain}),
        )
        known = settings.model_copy(update={"oidc_providers": providers})
        app = create_app(known)
        with serving(app) as url:
            app.state.settings = known.model_copy(update={"public_url": url})
            yield url, state, app


@pytest.fixture
def here(running: tuple[str, State, FastAPI]) -> Iterator[Installation]:
    url, state, app = running
    app.state.parties = {name: RelyingParty(party.provider) for name, party in app.state.parties.items()}
    fresh = State(url=state.url, key=state.key)
    state.__dict__.update(fresh.__dict__)
    with (
        httpx.Client(base_url=f"{url}/api/v1", timeout=30) as http,
        httpx.Client(headers={"Accept": "text/html"}, timeout=30) as browser,
    ):
        yield Installation(url, http, browser, state)


def code_of(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def test_somebody_unknown_registers_and_is_known_at_the_next_log_in(
    here: Installation, sessions: SessionFactory, slug: str
) -> None:
    email = f"{slug}@example.org"
    assert here.http.get("/sign-ins/ways").json() == {
        "providers": [{"name": "orcid", "title": "ORCID"}, {"name": "plain", "title": "plain"}],
        "mail": False,
    }
    begun = here.through(sub=slug, email=email.upper(), email_verified=True, name="Ada L.")
    assert here.outcome(begun).json() == {
        "state": "unknown", "session": None, "email": email, "name": "Ada L."
    }  # fmt: skip
    registered = here.register(begun, email)
    assert registered.status_code == 201, registered.text
    me = here.me(registered.json()["token"])
    assert (me["email"], me["name"]) == (email, "Ada")
    assert code_of(here.outcome(begun), 410) == "sign_in_over"
    with sessions() as session:
        account = session.scalars(select(Account).where(Account.email == email)).one()
        assert account.verified_at is not None
    begun = here.through(sub=slug, email="other@example.org")
    opened = here.outcome(begun).json()
    assert (opened["state"], here.me(opened["session"]["token"])["id"]) == ("signed_in", me["id"])
    assert code_of(here.outcome(begun), 410) == "sign_in_over"  # a session is given out once
    log_in = {"email": email, "password": "!" + "x" * 20}
    assert code_of(here.http.post("/sessions", json=log_in), 401) == "wrong_credentials"


def test_an_address_makes_no_identity_anybodys(
    here: Installation, person: Callable[..., Person], slug: str
) -> None:
    ada = person()
    begun = here.through(sub=slug, email=ada.email, email_verified=True)
    assert here.outcome(begun).json()["state"] == "unknown"
    assert code_of(here.register(begun, ada.email), 409) == "email_taken"
    # Not proven, so not verified either.
    assert here.register(begun, f"{slug}@example.org").status_code == 201


def test_an_identity_is_linked_by_who_is_logged_in_and_stays_theirs(
    here: Installation, person: Callable[..., Person], slug: str
) -> None:
    ada, eve = person(), person("Eve")
    # Whoever has the identity gets sessions of every scope, also once the token is revoked.
    token = ada.http.post("/tokens", json={"name": "ci", "scopes": ["read", "submit"]}).json()["token"]
    refused = here.http.post(
        "/me/identities", json={"provider": "orcid"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert code_of(refused, 403) == "session_needed"
    with httpx.Client(base_url=here.http.base_url, headers=ada.http.headers, timeout=30) as http:
        here.orcid.person = {"sub": slug, "email": ada.email, "email_verified": True}
        begun = here.begin(http=http)
        assert here.back(here.leave(begun)).status_code == 200
        assert here.outcome(begun).json()["state"] == "linked"
        (mine,) = http.get("/me/identities").json()
        assert (mine["provider"], mine["subject"], mine["email"]) == ("orcid", slug, ada.email)
    assert here.me(here.outcome(here.through(sub=slug)).json()["session"]["token"])["id"] == ada.id
    with httpx.Client(base_url=here.http.base_url, headers=eve.http.headers, timeout=30) as http:
        here.orcid.person = {"sub": slug}
        begun = here.begin(http=http)
        taken = here.back(here.leave(begun))
        assert (taken.status_code, "belongs to another account" in taken.text) == (403, True)
        assert code_of(here.outcome(begun), 403) == "sign_in_refused"
        assert code_of(http.delete(f"/me/identities/{mine['id']}"), 404) == "unknown_identity"
        assert http.get("/me/identities").json() == []
    assert ada.http.delete(f"/me/identities/{mine['id']}").status_code == 204
    assert here.outcome(here.through(sub=slug)).json()["state"] == "unknown"


def test_plain_oauth_goes_by_the_id_that_the_token_is_of(here: Installation, slug: str) -> None:
    here.orcid.person = {"name": "Octo", "email": "octo@example.org", "email_verified": True}
    begun = here.begin("plain")
    assert here.back(here.leave(begun), "plain").status_code == 200
    assert here.orcid.asked == ["/token", "/user"]
    assert here.outcome(begun).json()["name"] == "Octo"


def test_only_the_browser_that_typed_what_the_terminal_shows_comes_back_and_once(
    here: Installation, slug: str
) -> None:
    here.orcid.person = {"sub": slug}
    begun = here.begin()
    assert here.type(begun, begun["code"], origin="https://evil.example").status_code == 403
    wrong = here.type(begun, "AAAA-AAAA")
    assert (wrong.status_code, "not what the terminal shows" in wrong.text) == (403, True)
    brought = here.leave(begun)
    mine, here.browser = here.browser, httpx.Client(headers={"Accept": "text/html"})
    assert here.browser.get(begun["url"]).status_code == 410  # one browser has it
    assert here.back(brought).status_code == 410
    here.browser.close()
    here.browser = mine
    assert here.back(brought, state="another").status_code == 410
    assert here.back(brought, "plain").status_code == 410
    assert here.outcome(begun).json()["state"] == "waiting"
    assert here.back(brought).status_code == 200
    assert here.back(brought).status_code == 410
    guessed = here.begin()
    for _ in range(5):
        assert here.type(guessed, "BBBB-BBBB").status_code == 403
    assert here.type(guessed, guessed["code"]).status_code == 410
    assert code_of(here.outcome(guessed), 410) == "sign_in_over"
    assert code_of(here.http.post("/sign-ins", json={"provider": "none"}), 404) == "unknown_provider"


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "for another client": ({"claims": {"aud": "somebody else"}}, "does not hold"),
    "for us among others": ({"claims": {"aud": [CLIENT, "x"], "azp": "x"}}, "does not hold"),
    "of another issuer": ({"claims": {"iss": "https://evil.example"}}, "does not hold"),
    "expired": ({"claims": {"exp": 1_000_000_000}}, "does not hold"),
    "without an end": ({"claims": {"exp": None}}, "does not hold"),
    "with the nonce of another log-in": ({"claims": {"nonce": "used before"}}, "does not hold"),
    "without a nonce": ({"claims": {"nonce": None}}, "does not hold"),
    "of nobody": ({"claims": {"sub": ""}}, "names nobody"),
    "without a signature": ({"unsigned": True}, "does not hold"),
    "with a key that is not published": (
        {"key": new_key(), "published": [new_key()]},
        "key that it does not publish",
    ),
    "huge": ({"answers": {"/token": b"[" * (fetching.MOST + 1)}}, "more than 1,048,576 bytes"),
    "no JSON": ({"answers": {"/token": b"[" * 100_000}}, "no JSON"),
    "no object": ({"answers": {"/token": b"[]"}}, "no object"),
    "elsewhere": ({"moved": {"/token": "http://127.0.0.1:1/inside"}}, "status 302 instead of 200"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_proves_nothing_lets_nobody_in(here: Installation, lie: str, slug: str) -> None:
    said, why = LIES[lie]
    here.orcid.person = {"sub": slug}
    begun = here.begin()
    brought = here.leave(begun)
    here.orcid.__dict__.update(said)
    answer = here.back(brought)
    assert (answer.status_code, why in answer.text) == (502, True), answer.text
    told = here.outcome(begun)
    assert (code_of(told, 403), why in told.json()["detail"]) == ("sign_in_refused", True)
    assert SECRET not in answer.text


def test_a_signature_has_to_be_by_the_key_that_it_names(here: Installation, slug: str) -> None:
    assert here.outcome(here.through(sub=slug)).json()["state"] == "unknown"
    brought = here.leave(here.begin())
    honest = here.orcid.key
    here.orcid.published = [honest]
    here.orcid.key = RSAKey.generate_key(2048, parameters={"kid": str(honest.kid)})
    answer = here.back(brought)
    assert (answer.status_code, "does not hold" in answer.text) == (502, True), answer.text


def test_another_issuer_in_the_answer_is_another_providers(here: Installation, slug: str) -> None:
    here.orcid.person = {"sub": slug}
    brought = here.leave(here.begin())
    assert here.back(brought, iss="https://evil.example").status_code == 502
    assert "/token" not in here.orcid.asked


def test_a_provider_that_drips_is_left_after_a_while(
    here: Installation, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.5)
    here.orcid.person = {"sub": slug}
    brought = here.leave(here.begin())
    here.orcid.slow = 0.05
    begun_at = time.monotonic()
    answer = here.back(brought)
    assert (answer.status_code, "no whole answer within" in answer.text) == (502, True), answer.text
    assert time.monotonic() - begun_at < 10


def test_keys_may_change(here: Installation, slug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.outcome(here.through(sub=slug)).json()["state"] == "unknown"
    here.orcid.key = new_key()
    monkeypatch.setattr(relying, "_KEYS_AGAIN", 0.0)
    assert here.outcome(here.through(sub=slug)).json()["state"] == "unknown"


def test_who_says_no_at_the_provider_is_told_so(here: Installation, slug: str) -> None:
    begun = here.begin()
    brought = here.leave(begun)
    answer = here.back({"state": brought["state"], "error": "access_denied"})
    assert (answer.status_code, "refused at ORCID" in answer.text) == (403, True)
    assert "refused at ORCID" in here.outcome(begun).json()["detail"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://10.0.0.1/token", "without https"),
        ("https://10.0.0.1/token", "private network"),
        ("https://[::1]/token", "private network"),
        ("https://169.254.169.254/token", "private network"),
    ],
)
def test_no_provider_sends_the_server_inside(here: Installation, slug: str, url: str, why: str) -> None:
    with pytest.raises(BadGateway) as refused:
        asyncio.run(fetching.ask("ORCID", "GET", url, named_hosts={"orcid.example"}))
    assert why in refused.value.detail


def test_settings_say_what_a_provider_needs(settings: Settings, tmp_path: Path) -> None:
    fine = {"name": "orcid", "client_id": "x", "issuer": "https://orcid.org"}
    for wrong, why in (
        ({"issuer": "http://orcid.org"}, "https://"),
        ({"issuer": None}, "takes either issuer"),
        ({"token_endpoint": "https://orcid.org/t"}, "takes either issuer"),
        ({"name": "ORCID"}, "name"),
        ({"secret": "x"}, "secret"),
    ):
        with pytest.raises(ValidationError, match=why):
            Provider.model_validate(fine | wrong)
    told = settings.model_dump() | {"DATABASE_URL": settings.database_url}
    for providers, why in (([fine], "PROCTOR_PUBLIC_URL"), ([fine, fine], "two providers of one name")):
        with pytest.raises(ValidationError, match=why):
            Settings.model_validate(told | {"oidc_providers": json.loads(json.dumps(providers))})


def test_log_ins_that_nobody_finished_are_removed(here: Installation, sessions: SessionFactory) -> None:
    begun = here.begin()
    with sessions() as session, session.begin():
        session.execute(update(SignIn).values(expires_at=func.now()))
    assert code_of(here.outcome(begun), 410) == "sign_in_over"
    here.begin()
    with sessions() as session:
        assert session.scalars(select(func.count()).select_from(SignIn)).one() == 1


def test_the_command_waits_for_the_browser_and_keeps_a_token(
    here: Installation, slug: str, tmp_path: Path
) -> None:
    email = f"{slug}@example.org"
    here.orcid.person = {"sub": slug, "name": "Ada"}
    known = {**os.environ, "PROCTOR_CONFIG_DIR": str(tmp_path), "PROCTOR_TOKEN": ""}
    command = [sys.executable, "-m", "client.main", "login", here.url, "--with", "orcid"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=known, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        said = [running.stderr.readline(), running.stderr.readline()]
        begun = {"url": said[0].removeprefix("Open ").strip(), "code": said[1].rpartition(" ")[2].strip()}
        shown = here.browser.get(begun["url"])
        assert f"proctor on {socket.gethostname()}" in shown.text
        sent = here.type(begun, begun["code"])
        found = re.search(r'url=(http[^"]+)"', sent.text)
        assert found is not None, (said, sent.text)
        assert here.back(here.orcid.authorize(found[1].replace("&amp;", "&"))).status_code == 200
        told, wrong = running.communicate(f"{email}\n\n", timeout=60)
    assert (running.returncode, wrong) == (0, ""), told
    assert f"Logged in at {here.url} as Ada ({email})" in told
    token = json.loads((tmp_path / "login.json").read_text())["token"]
    assert (token.startswith("prc_"), here.me(token)["email"]) == (True, email)


def test_the_command_links_an_identity_with_a_session_of_its_own(
    here: Installation, person: Callable[..., Person], slug: str, tmp_path: Path
) -> None:
    ada = person()
    token = ada.http.post("/tokens", json={"name": "kept", "scopes": ["read", "submit"]}).json()["token"]
    here.orcid.person = {"sub": slug}
    known = {**os.environ, "PROCTOR_CONFIG_DIR": str(tmp_path), "PROCTOR_TOKEN": token}
    known |= {"PROCTOR_URL": here.url, "PROCTOR_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "client.main", "identities", "--link", "orcid"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=known, stdout=pipe, stderr=pipe, text=True) as running:
        assert running.stderr is not None
        said = [running.stderr.readline(), running.stderr.readline()]
        begun = {"url": said[0].removeprefix("Open ").strip(), "code": said[1].rpartition(" ")[2].strip()}
        brought = re.search(r'url=(http[^"]+)"', here.type(begun, begun["code"]).text)
        assert brought is not None, said
        assert here.back(here.orcid.authorize(brought[1].replace("&amp;", "&"))).status_code == 200
        told, wrong = running.communicate(timeout=60)
    assert (running.returncode, wrong, f"orcid  {slug}" in told) == (0, "", True), told
