"""The administration as pages: who may see them, and what their forms do."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from server.accounts.models import TokenKind
from server.accounts.tokens import issue
from server.browser.keys import Keys
from server.database import SessionFactory, unit_of_work
from server.settings import Settings
from tests.server.browsing import require_sound
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_forms import form_token, sign_in

PAGES = (
    "/admin",
    "/admin/errors",
    "/admin/queue",
    "/admin/workers",
    "/admin/evaluations",
    "/admin/challenges",
    "/admin/people",
    "/admin/storage",
    "/admin/events",
    "/admin/audit",
    "/admin/find?q=ada",
    "/admin/webhooks",
)


@pytest.fixture
def anybody(served: tuple[str, SessionFactory]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[0], headers={"Accept": "text/html"}, timeout=60) as client:
        yield client


@pytest.fixture
def browser(anybody: httpx.Client, admin: Person) -> httpx.Client:
    assert sign_in(anybody, admin.email).status_code == 303
    return anybody


@pytest.mark.parametrize("path", PAGES)
def test_admins_see_each_page(browser: httpx.Client, path: str, slug: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("<h1") == 1
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/admin/events", "/admin/evaluations"])
def test_a_filter_with_no_date_says_so_beside_it(browser: httpx.Client, path: str, slug: str) -> None:
    refused = browser.get(path, params={"since": "yesterday", "challenge": slug})
    shown = require_sound(refused, status=400)
    assert "&#39;yesterday&#39; is no date, as 2026-11-29 is" in shown
    assert f'value="{slug}" selected' in shown
    for since in ("", "2026-01-02", "2026-01-02T03:04+05:00"):
        assert browser.get(path, params={"since": since}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_others_are_told_who_may(anybody: httpx.Client, person: Callable[..., Person], path: str) -> None:
    assert anybody.get(path).headers["Location"].startswith("/sign-in?then=%2Fadmin")
    sign_in(anybody, person().email)
    answer = anybody.get(path)
    assert answer.status_code == 403
    assert "Only admins of this installation" in answer.text


def test_a_worker_is_made_drained_rotated_and_revoked_by_forms(browser: httpx.Client) -> None:
    csrf = {"_csrf": form_token(browser.get("/admin/workers"))}
    made = browser.post("/api/v1/admin/workers", data={**csrf, "name": "page-1", "_then": "/admin/workers"})
    assert made.status_code == 200
    assert "prw_" in made.text
    listed = browser.get("/api/v1/admin/workers").json()
    api = f"/api/v1/admin/workers/{next(one['id'] for one in listed if one['name'] == 'page-1')}"
    page = api.replace("/api/v1", "")
    assert browser.post(f"{api}/drain", data={**csrf, "_then": page, "_done": "Drains."}).status_code == 303
    shown = browser.get(page).text
    assert "drains since" in shown
    assert '<p class="said" role="status">Drains.</p>' in shown
    assert '<p class="said"' not in browser.get(page).text, "it is said once"
    assert "prw_" in browser.post(f"{api}/rotate", data={**csrf, "minutes:int": "5"}).text
    assert browser.post(f"{api}?_method=DELETE", data={**csrf, "_then": page}).status_code == 303
    assert "token revoked" in browser.get(page).text


def test_a_person_is_found_made_an_admin_and_closed(
    browser: httpx.Client, person: Callable[..., Person]
) -> None:
    somebody = person("Grace Findable")
    assert f"/admin/people/{somebody.id}" in browser.get("/admin/people?find=Findable").text
    page, api = f"/admin/people/{somebody.id}", f"/api/v1/admin/users/{somebody.id}"
    csrf = {"_csrf": form_token(browser.get(page)), "_then": page}
    assert browser.post(f"{api}?_method=PATCH", data={**csrf, "is_admin:bool": "true"}).status_code == 303
    assert "No longer an admin" in browser.get(page).text
    assert browser.post(f"{api}?_method=PATCH", data={**csrf, "is_admin:bool": "false"}).status_code == 303
    assert browser.post(f"{api}/close", data={**csrf, "why": "left the field"}).status_code == 303
    assert "left the field" in browser.get(page).text


def test_a_person_s_address_is_confirmed_or_a_code_for_it_given_out(
    browser: httpx.Client, person: Callable[..., Person]
) -> None:
    """What a server without mail tells people to ask an admin for."""
    ada = person("Ada")
    with httpx.Client(base_url=browser.base_url, headers={"Accept": "text/html"}, timeout=60) as own:
        assert sign_in(own, ada.email).status_code == 303
        assert "Ask an admin of this installation" in own.get("/account").text
    page = f"/admin/people/{ada.id}"
    token = form_token(browser.get(page))
    given = browser.post(f"/api/v1/admin/users/{ada.id}/address-code", data={"_csrf": token, "_then": page})
    assert given.status_code in (200, 201), given.text
    assert "Give out a code that shows it" in browser.get(page).text
    act = f"/api/v1/admin/users/{ada.id}/address-verification"
    assert browser.post(act, data={"_csrf": token, "_then": page}).status_code == 303
    assert "Give out a code that shows it" not in browser.get(page).text


def test_a_challenge_file_that_has_consequences_is_asked_about_and_then_applied(
    browser: httpx.Client, slug: str
) -> None:
    spec = browser.get(f"/api/v1/challenges/{slug}").json()["spec"]
    text = httpx.Response(200, json={**spec, "title": "Another title"}).text
    csrf = {"_csrf": form_token(browser.get("/admin/challenges")), "_then": "/admin/challenges"}
    answer = browser.post("/api/v1/admin/challenges", data={**csrf, "file": text})
    assert answer.status_code in (303, 409), answer.text
    if answer.status_code == 409:
        assert "Yes, do it" in answer.text
        again = browser.post(
            "/api/v1/admin/challenges", data={**csrf, "file": text, "confirmed:bool": "true"}
        )
        assert again.status_code == 303
    assert "Another title" in browser.get("/admin/challenges").text


def test_everything_found_leads_to_its_page(browser: httpx.Client, captain: Person, slug: str) -> None:
    found = browser.get("/api/v1/admin/find", params={"q": captain.email}).json()["items"]
    assert found
    shown = browser.get(f"/admin/show/{found[0]['id']}")
    assert shown.status_code == 200
    assert found[0]["title"] in httpx.Response(200, text=shown.text).text.replace("&#39;", "'")


def test_a_session_without_the_scope_of_admins_sees_nothing(
    anybody: httpx.Client, admin: Person, sessions: SessionFactory, settings: Settings
) -> None:
    with unit_of_work(sessions) as session:
        token, _ = issue(session, TokenKind.SESSION, name="log-in", user_id=admin.id, scopes=["read"])
    keys = Keys(settings.secret_key.get_secret_value())
    anybody.cookies["proctor_session"] = keys.signed("proctor_session", token)
    assert anybody.get("/admin").status_code == 403


def test_a_worker_that_dies_again_and_again_is_told_first_and_counted_alike_everywhere(
    browser: httpx.Client, lab: Lab, team: Entrant
) -> None:
    evaluation, worker = team.submit(), lab.worker("dying")
    assert "stopped" not in browser.get("/admin").text
    for _ in range(2):
        assert lab.expire(worker.take()) == 1
        lab.unpark()
    first = browser.get("/admin").text
    assert "1 slot stopped 2 times in 1 minute, 2 cases lost and put back" in first
    assert worker.name in first
    listed = browser.get("/admin/workers").text
    assert f"{worker.name}: stopped 2 times in 1 minute, 2 cases lost" in listed
    assert listed.count("2 lost, 0 named") == 2, "of the worker and of its slot"
    assert "stopped 2 times" in browser.get("/admin/errors").text
    shown = browser.get(f"/admin/show/{evaluation}").text
    assert "2 faults, run again" in shown or shown.count("1 fault, run again") == 2


def test_what_waits_or_runs_is_cancelled_from_its_page_and_has_no_receipt_yet(
    browser: httpx.Client, lab: Lab, team: Entrant
) -> None:
    evaluation = team.submit()
    page = f"/admin/show/{evaluation}"
    shown = browser.get(page)
    assert "Download the receipt" not in shown.text
    path = f"/api/v1/admin/evaluations/{evaluation}/cancel"
    fields = {"_csrf": form_token(shown), "_then": page, "_done": "Cancelled.", "why": "It hangs."}
    assert browser.post(path, data=fields, follow_redirects=True).status_code in (200, 303)
    assert team.evaluation(evaluation)["reason"] == "The organizers cancelled it: It hangs."
    assert "Cancel it" not in browser.get(page).text


def test_the_queue_says_since_when_and_why_something_waits(
    browser: httpx.Client, lab: Lab, team: Entrant
) -> None:
    team.submit()
    assert "no worker is there, and none has offered" in browser.get("/admin/queue").text
    assert lab.worker().lease() is not None
    said = browser.get("/admin/queue").text
    assert "no worker is there" not in said
    assert "Since" in said
