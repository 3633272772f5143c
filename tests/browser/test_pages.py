"""Boards and what is answered in place of a page, at every width, light and dark, as a browser shows them."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import expect

from server.sign_in.browser import COOKIE
from tests.browser.conftest import OpenWindow
from tests.browser.windows import axe, examined
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.provider import query
from tests.server.seeded import NAMES, play
from tests.server.test_sign_in import Installation, here, running

__all__ = ["here", "running"]

_LOOKS = (
    "[getComputedStyle(document.body).fontFamily, document.styleSheets.length, document.body.clientHeight]"
)


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("board-empty", "/challenges/{slug}/leaderboards/validation", 200),
        ("board-sealed", "/challenges/{slug}/leaderboards/test", 403),
        ("nothing-there", "/nothing", 404),
    ],
)
def test_a_page_is_sound_at_every_width_light_and_dark(
    window: OpenWindow, slug: str, name: str, path: str, status: int
) -> None:
    page = window()
    answer = page.goto(path.format(slug=slug))
    assert answer is not None
    assert answer.status == status
    assert examined(page, name) == []


def test_the_board_of_a_season_is_sound(
    window: OpenWindow, lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    play(lab, entrant, admin)
    page = window()
    page.goto(f"/challenges/{lab.slug}/leaderboards/validation")
    for name in NAMES:
        expect(page.get_by_role("rowheader", name=name).first).to_be_visible()
    assert examined(page, "board-of-a-season") == []


def test_a_board_that_the_browser_kept_looks_as_it_did(
    window: OpenWindow, lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    """The server says that it has not changed, and what it says beside that is taken over into the page."""
    play(lab, entrant, admin)
    page, board = window(), f"/challenges/{lab.slug}/leaderboards/validation"
    page.goto(board)
    first = page.evaluate(_LOOKS)
    page.goto(f"/challenges/{lab.slug}")
    page.goto(board)
    assert page.evaluate(_LOOKS) == first
    page.reload()
    assert page.evaluate(_LOOKS) == first


def test_the_pages_of_a_log_in_through_a_provider_are_sound(window: OpenWindow, here: Installation) -> None:
    begun = here.begin()
    page = window(at=here.url)
    page.goto(begun["url"])
    expect(page.get_by_role("textbox", name="What your terminal shows")).to_be_focused()
    assert examined(page, "sign-in") == []
    here.orcid.person = {"sub": "0000-0001", "name": "Ada"}
    brought = here.leave(begun)
    cookie = {"name": COOKIE, "value": here.browser.cookies[COOKIE], "url": f"{here.url}/sign-in/"}
    page.context.add_cookies([cookie])
    page.goto(f"/sign-in/back/orcid?{query(brought)}")
    expect(page.get_by_role("heading", name="knows you")).to_be_visible()
    assert examined(page, "sign-in-done") == []


def test_the_api_s_page_shows_every_operation(window: OpenWindow, site: str) -> None:
    schema = httpx.get(f"{site}/api/v1/openapi.json", timeout=60).json()
    page = window()
    page.goto("/docs")
    operations = sum(map(len, schema["paths"].values()))
    expect(page.locator(".opblock").nth(operations - 1)).to_be_attached()
    expect(page.get_by_text("Unable to render")).to_have_count(0)
    assert axe(page, without=("#swagger-ui",)) == [], "what others have made is theirs"
