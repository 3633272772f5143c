"""Pages about oneself: each says what holds, each form does what it says, and nobody else gets to see them."""

import re
from uuid import uuid4

import httpx
import pytest

from contract.notices import Audience, NoticeKind
from server.amendments.service import amend
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.notices.service import tell
from tests.server.browsing import require_sound, sent, statements
from tests.server.conftest import PASSWORD, Person
from tests.server.test_forms import form_token, sign_in

PAGES = (
    "/account",
    "/account/security",
    "/account/tokens",
    "/account/privacy",
    "/notices",
    "/notices/settings",
)


@pytest.fixture
def ada(browser: httpx.Client, captain: Person) -> Person:
    """The captain of The First, signed in with the browser."""
    assert sign_in(browser, captain.email).status_code == 303
    return captain


@pytest.mark.parametrize("page", PAGES)
def test_a_page_about_oneself_is_for_whoever_is_signed_in(browser: httpx.Client, page: str) -> None:
    answer = browser.get(page)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/sign-in?then={page.replace('/', '%2F')}",
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_one_title_and_one_heading_and_asks_little(
    browser: httpx.Client, ada: Person, sessions: SessionFactory, page: str
) -> None:
    statements(browser, sessions, page)
    shown = browser.get(page)
    require_sound(shown)
    assert shown.headers["Cache-Control"] == "no-store"


def test_the_profile_says_who_one_is_and_where_one_takes_part(
    browser: httpx.Client, ada: Person, slug: str
) -> None:
    shown = browser.get("/account").text
    for part in (ada.email, "The First", f"/challenges/{slug}/team", "its captain", "sends no mail"):
        assert part in shown, part


def test_a_session_is_ended_from_another_browser(
    browser: httpx.Client, ada: Person, served: tuple[str, SessionFactory]
) -> None:
    with httpx.Client(base_url=served[0], headers={"Accept": "text/html"}, timeout=60) as other:
        sign_in(other, ada.email)
        shown = browser.get("/account/security")
        assert shown.text.count("this browser") == 1
        others = re.findall(r"/api/v1/sessions/[0-9a-f-]{36}\?_method=DELETE", shown.text)
        assert len(others) == 2, "the other browser's, and the one of the fixture"
        for one in others:
            sent(browser, "/account/security", one)
        assert other.get("/account").status_code == 303
        assert "End</button>" not in browser.get("/account/security").text
    everywhere = "/api/v1/sessions?_method=DELETE"
    answer = browser.post(everywhere, data={"_csrf": form_token(browser.get("/account/security"))})
    assert answer.status_code == 303
    assert browser.get("/account").status_code == 303


def test_the_password_is_changed_where_the_present_one_is_known(browser: httpx.Client, ada: Person) -> None:
    token = form_token(browser.get("/account/security"))
    fields = {"_csrf": token, "old_password:text": "wrong", "new_password:text": PASSWORD * 2}
    assert browser.post("/api/v1/me/password", data=fields).status_code in (401, 403)
    after = sent(
        browser,
        "/account/security",
        "/api/v1/me/password",
        **{"old_password:text": PASSWORD, "new_password:text": PASSWORD * 2, "_done": "Changed."},
    )
    assert "Changed." in after.text
    browser.cookies.clear()
    assert sign_in(browser, ada.email, PASSWORD * 2).status_code == 303


def test_a_token_is_shown_once_listed_and_revoked(browser: httpx.Client, ada: Person) -> None:
    page = browser.get("/account/tokens")
    assert "You have no API token." in page.text
    assert "organize" not in page.text, "nothing is offered that would allow nothing"
    fields = [("_csrf", form_token(page)), ("name", "laptop"), ("expires_in_days:int", "30")]
    body = httpx.QueryParams([*fields, ("scopes[]", "read"), ("scopes[]", "submit")])
    made = browser.post(
        "/api/v1/tokens", content=str(body), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    secret = re.search(r"<code>(\S+)</code>", made.text)
    assert secret is not None
    listed = browser.get("/account/tokens").text
    assert "laptop" in listed
    assert "read, submit" in listed
    assert secret[1] not in listed
    bearer = {"Authorization": f"Bearer {secret[1]}"}
    assert browser.get("/api/v1/me", headers=bearer).json()["email"] == ada.email
    revoke = re.search(r"/api/v1/tokens/[0-9a-f-]{36}\?_method=DELETE", listed)
    assert revoke is not None
    assert "You have no API token." in sent(browser, "/account/tokens", revoke[0]).text
    assert browser.get("/api/v1/me", headers=bearer).status_code == 401


def test_all_that_is_kept_is_downloaded_and_the_account_closed(browser: httpx.Client, ada: Person) -> None:
    page = browser.get("/account/privacy")
    assert 'href="/api/v1/me/export" download' in page.text
    assert browser.get("/api/v1/me/export").json()["account"]["email"] == ada.email
    closed = browser.post("/api/v1/me/close", data={"_csrf": form_token(page), "password:text": PASSWORD})
    assert closed.headers["Location"] == "/"
    assert sign_in(browser, ada.email).status_code == 403
    assert browser.get("/account").status_code == 303


def told(sessions: SessionFactory, slug: str, count: int) -> None:
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        for number in range(count):
            tell(
                session,
                NoticeKind.ANNOUNCEMENT,
                Audience.CHALLENGE,
                title=f"News {number:02} {uuid4().hex[:6]}",
                text="A <b>sentence</b>.",
                challenge=challenge,
            )


def test_notices_are_read_one_by_one_and_all_at_once(
    browser: httpx.Client, ada: Person, sessions: SessionFactory, slug: str
) -> None:
    assert "You have not been told anything yet." in browser.get("/notices").text
    told(sessions, slug, 3)
    page = browser.get("/notices")
    assert page.text.count('<li class="card unread"') == 3
    assert "&lt;b&gt;sentence&lt;/b&gt;" in page.text
    assert "3<span" in page.text, "they are counted in the head"
    first = re.search(r'name="ids\[\]" value="([^"]+)"', page.text)
    assert first is not None
    after = sent(browser, "/notices", "/api/v1/notices/read", **{"ids[]": first[1]})
    assert after.text.count('<li class="card unread"') == 2
    assert browser.get("/notices?unread=true").text.count('<li class="card') == 2
    newest = re.search(r'name="until" value="([^"]+)"', after.text)
    assert newest is not None
    assert (
        'class="card unread"' not in sent(browser, "/notices", "/api/v1/notices/read", until=newest[1]).text
    )
    assert "You have read everything." in browser.get("/notices?unread=true").text


def test_what_one_act_tells_is_one_card_with_digests_shortened(
    browser: httpx.Client, ada: Person, sessions: SessionFactory, slug: str
) -> None:
    digest = "sha256:" + "5a" * 32
    with unit_of_work(sessions) as session:
        challenge = get_challenge(session, slug)
        for number in (1, 2):
            amend(session, challenge, what=f"Rule {number} was {digest}", why="Ours", by="tests")
        mine = "What your team has was evaluated anew"
        kind, whom = NoticeKind.RESULT_CHANGED, Audience.CHALLENGE
        tell(session, kind, whom, title=mine, text="Yours.", challenge=challenge)
    told(sessions, slug, 2)
    page = browser.get("/notices").text
    cards = page.split('<li class="card')[1:]
    assert len(cards) == 3, "two pieces of news, and one act"
    act = next(card for card in cards if mine in card)
    assert f'<h2 title="{mine}">' in act, "what concerns the reader comes first"
    assert "Also told of the same act (2)" in act
    assert act.count('name="ids[]"') == 3, "it is read as one"
    assert f">Rule 1 was sha256:{'5a' * 6}…. The organizers" in act
    ids = re.findall(r'name="ids\[\]" value="([^"]+)"', act)
    token = form_token(browser.get("/notices"))
    browser.post("/api/v1/notices/read", data={"_csrf": token, "_then": "/notices", "ids[]": ids})
    assert browser.get("/notices").text.count('<li class="card unread"') == 2


def test_nobody_is_asked_about_notices_that_never_come_to_them(
    browser: httpx.Client, ada: Person, admin: Person, served: tuple[str, SessionFactory]
) -> None:
    shown = browser.get("/notices/settings").text
    assert "all tasks of a submission have ended" in shown
    for of_others in ("a slot finds itself unfit", "the disk refuses uploads", "a team asks"):
        assert of_others not in shown
    sign_in(browser, admin.email)
    assert "a slot finds itself unfit" in browser.get("/notices/settings").text


def test_many_notices_come_page_by_page_at_the_same_cost(
    browser: httpx.Client, ada: Person, sessions: SessionFactory, slug: str
) -> None:
    told(sessions, slug, 1)
    few = statements(browser, sessions, "/notices")
    told(sessions, slug, 29)
    assert statements(browser, sessions, "/notices") == few
    page = browser.get("/notices").text
    older = re.search(r'href="(/notices\?before=[^"]+)" rel="next"', page)
    assert older is not None
    rest = browser.get(older[1]).text
    assert (page.count('<li class="card'), rest.count('<li class="card')) == (25, 5)
    assert 'rel="next"' not in rest


def test_which_notices_come_by_mail_is_said_kind_by_kind(browser: httpx.Client, ada: Person) -> None:
    page = browser.get("/notices/settings")
    assert "This server sends no mail." in page.text
    assert "as you said" not in page.text
    action = "/api/v1/notices/settings/phase.opened?_method=PUT"
    after = sent(browser, "/notices/settings", action, **{"mail:bool": "false"})
    assert after.text.count("as you said") == 1
    kinds = browser.get("/api/v1/notices/settings").json()["kinds"]
    assert next(kind["mail"] for kind in kinds if kind["kind"] == "phase.opened") is False
