"""Log-ins through a provider that a browser begins itself: it comes back signed in, and no other browser does."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from server.settings import Settings
from tests.server.browsing import browsing, hidden_field, require_sound
from tests.server.provider import query
from tests.server.test_sign_in import Installation, here, running

__all__ = ["here", "running"]


@pytest.fixture
def browser(here: Installation) -> Iterator[httpx.Client]:
    with browsing(here.url) as opened:
        yield opened


def brought(here: Installation, answer: httpx.Response) -> str:
    """The way back that a page to leave for the provider ends in."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'url=(http[^"]+)"', answer.text)
    assert found is not None
    return f"/sign-in/back/orcid?{query(here.orcid.authorize(found[1].replace('&amp;', '&')))}"


def begin(
    here: Installation,
    browser: httpx.Client,
    page: str = "/sign-in",
    *,
    origin: str | None = None,
    **fields: str,
) -> httpx.Response:
    token = hidden_field(browser.get(page), "_csrf")
    headers = {"Origin": here.url if origin is None else origin}
    return browser.post("/sign-in/with/orcid", data={"_csrf": token, **fields}, headers=headers)


def registered(here: Installation, browser: httpx.Client, subject: str) -> httpx.Response:
    """What follows once somebody unknown has come back and named themselves."""
    here.orcid.person = {
        "sub": subject,
        "name": "Ada",
        "email": f"{subject}@x.example",
        "email_verified": True,
    }
    back = browser.get(brought(here, begin(here, browser, then="/notices")))
    assert (back.status_code, back.headers["Location"]) == (303, "/sign-in/new/orcid")
    form = browser.get("/sign-in/new/orcid")
    text = require_sound(form)
    assert 'value="Ada"' in text
    assert f"{subject}@x.example" in text
    secret = hidden_field(form, "secret")
    fields = {"secret": secret, "name": "Ada", "email": f"{subject}@x.example"}
    token = hidden_field(form, "_csrf")
    return browser.post("/api/v1/sign-ins/accounts", data={"_csrf": token, "_then": "/notices", **fields})


def test_somebody_unknown_names_themselves_and_is_let_in_from_then_on(
    here: Installation, browser: httpx.Client
) -> None:
    subject = uuid4().hex
    assert "Sign in with ORCID" in require_sound(browser.get("/sign-in?then=/notices"))
    assert "Register with ORCID" in require_sound(browser.get("/register"))
    answer = registered(here, browser, subject)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/notices")
    me = browser.get("/api/v1/me").json()
    assert me["email"] == f"{subject}@x.example"
    assert me["verified_at"] is not None, "the provider has looked"
    with browsing(here.url) as other:
        here.orcid.person = {"sub": subject}
        back = other.get(brought(here, begin(here, other, then="/account")))
        assert (back.status_code, back.headers["Location"]) == (303, "/account")
        assert other.get("/api/v1/me").json()["id"] == me["id"]
        again = other.get("/sign-in/new/orcid")
        assert again.status_code == 410, "it was used"


def test_only_the_browser_that_began_comes_back(here: Installation, browser: httpx.Client) -> None:
    here.orcid.person = {"sub": uuid4().hex}
    address = brought(here, begin(here, browser))
    with browsing(here.url) as other:
        refused = other.get(address)
        assert refused.status_code == 410
        assert "proctor_session" not in other.cookies
        assert other.get("/sign-in/new/orcid").status_code == 410
    assert browser.get(address).status_code == 303
    assert browser.get(address).status_code == 410, "once"


def test_a_form_from_elsewhere_begins_nothing(here: Installation, browser: httpx.Client) -> None:
    assert begin(here, browser, origin="https://elsewhere.example").status_code == 403
    headers = {"Origin": here.url}
    assert browser.post("/sign-in/with/orcid", data={"_csrf": "x"}, headers=headers).status_code == 403
    unknown = browser.post(
        "/sign-in/with/nobody",
        data={"_csrf": hidden_field(browser.get("/sign-in"), "_csrf")},
        headers=headers,
    )
    assert unknown.status_code == 404


def test_nobody_is_led_elsewhere_afterwards(here: Installation, browser: httpx.Client) -> None:
    subject = uuid4().hex
    registered(here, browser, subject)
    here.orcid.person = {"sub": subject}
    for then in ("//elsewhere.example", "https://elsewhere.example/"):
        back = browser.get(brought(here, begin(here, browser, "/account/security", then=then)))
        assert urlsplit(back.headers["Location"])[:3] == ("", "", "/")


def test_an_identity_is_linked_to_the_account_that_is_signed_in(
    here: Installation, browser: httpx.Client, settings: Settings
) -> None:
    registered(here, browser, uuid4().hex)
    page = browser.get("/account/security")
    assert "Link ORCID" in require_sound(page)
    here.orcid.person = {"sub": (second := uuid4().hex)}
    back = browser.get(brought(here, begin(here, browser, "/account/security", link="yes")))
    assert back.headers["Location"] == "/account/security#identities"
    shown = browser.get("/account/security").text
    assert second in shown
    assert "The identity is linked to your account." in shown
    taken = re.findall(r"/api/v1/me/identities/[0-9a-f-]+\?_method=DELETE", shown)
    assert len(taken) == 2
    with browsing(here.url) as nobody:
        assert begin(here, nobody, link="yes").status_code == 401


def test_an_identity_of_another_account_is_not_linked(here: Installation, browser: httpx.Client) -> None:
    subject = uuid4().hex
    registered(here, browser, subject)
    with browsing(here.url) as other:
        registered(here, other, uuid4().hex)
        here.orcid.person = {"sub": subject}
        back = other.get(brought(here, begin(here, other, "/account/security", link="yes")))
        assert back.status_code == 403
        assert "belongs to another account" in back.text


def test_who_refuses_at_the_provider_is_told(here: Installation, browser: httpx.Client) -> None:
    found = re.search(r"state=([^&]+)", brought(here, begin(here, browser)))
    assert found is not None
    refused = browser.get(f"/sign-in/back/orcid?state={found[1]}&error=access_denied")
    assert refused.status_code == 403
    assert "The log-in was refused at ORCID." in refused.text
