"""Somebody's browser for tests of pages: it signs in, fills in forms, and goes where their answers lead."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from server.database import SessionFactory
from tests.abuse.boards import watched
from tests.server.test_forms import form_token, sign_in

MOST_STATEMENTS = 40


@contextmanager
def browsing(address: str, email: str | None = None) -> Iterator[httpx.Client]:
    """A browser, signed in as the account of `email` where it is given."""
    with httpx.Client(base_url=address, headers={"Accept": "text/html"}, timeout=60) as browser:
        if email is not None:
            assert sign_in(browser, email).status_code == 303
        yield browser


def sent(browser: httpx.Client, page: str, action: str, **fields: str) -> httpx.Response:
    """The page that follows a form of `page`, which has to be there."""
    shown = browser.get(page)
    assert f'action="{action}"'.replace("&", "&amp;") in shown.text, f"{page} has no form for {action}"
    answer = browser.post(action, data={"_csrf": form_token(shown), "_then": page, **fields})
    assert answer.status_code == 303, answer.text
    return browser.get(answer.headers["Location"])


def hidden_field(page: httpx.Response, name: str) -> str:
    """What a form's hidden field of this name holds."""
    found = re.search(rf'name="{re.escape(name)}" value="([^"]*)"', page.text)
    assert found is not None, f"no field {name}"
    return found[1]


def require_sound(page: httpx.Response, *, status: int = 200) -> str:
    """The page's text, once it has all that every page has, and nothing that the policy forbids."""
    assert page.status_code == status, page.text
    assert page.text.count("<h1") == 1
    assert "Proctor</title>" in page.text
    assert not re.search(r"<[^>]+\s(style|onclick)=", page.text)
    assert "<script>" not in page.text
    return page.text


def statements(browser: httpx.Client, sessions: SessionFactory, page: str) -> int:
    """How often the database is asked for a page; that its reader's token was used is noted now and then, besides."""
    with watched(sessions) as asked:
        assert browser.get(page).status_code == 200
    said = [one for one in asked.said if not one.startswith("UPDATE api_tokens SET last_used_at")]
    assert len(said) <= MOST_STATEMENTS, "\n".join(said)
    return len(said)
