"""Pages attacked from a browser: forged and broken forms, cookies of others, and what is kept for whom."""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urldefrag
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import update
from starlette.responses import Response

from server.accounts.models import Account
from server.browser.cookies import Browser
from server.browser.keys import Keys
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.evaluations.models import CaseRun, Evaluation
from server.forms.form import Form
from server.hearing import Hearing
from server.leaderboard.around import Around
from server.leaderboard.changes import Changes
from server.leaderboard.memory import Board, Memory
from server.leaderboard.negotiation import Rendered, rendered
from server.settings import Settings
from server.sign_in import service as sign_ins
from server.sign_in.leaving import COOKIE
from server.teams.models import Team
from tests.abuse.conftest import Front
from tests.server.browsing import browsing
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_forms import form_token, sign_in
from tests.server.test_leaderboard import scored

MakePerson = Callable[..., Person]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MIB = 2**20
NO_ADDRESS = "http://["
EVIL = "</title><img src=evil onerror=alert(1)>\"'`{{7*7}}"
ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/{x}/evil.example",
)


@pytest.fixture
def reader(front: Front, person: MakePerson) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    with browsing(front.url, person("Reader Rosalind").email) as browser:
        yield browser


def posted(
    browser: httpx.Client, fields: str, path: str = "/api/v1/tokens", **headers: str
) -> httpx.Response:
    token = form_token(browser.get("/account"))
    return browser.post(path, content=f"_csrf={token}&{fields}", headers={**FORM, **headers})


@pytest.mark.parametrize("fields", ["a=1&a[]=2", "a.b=1&a[]=2", "a[]=1&a.b=2", "a=1&a.b=2"])
def test_a_field_that_is_two_things_at_once_is_refused(reader: httpx.Client, fields: str) -> None:
    answer = posted(reader, fields)
    assert answer.status_code == 400
    assert "two things at once" in unescape(answer.text)


def test_names_of_fields_without_end_are_refused(reader: httpx.Client) -> None:
    assert posted(reader, f"a{'.a' * 30_000}=1").status_code == 400


def test_headers_that_hold_no_address_are_no_fault_of_the_server(reader: httpx.Client) -> None:
    assert posted(reader, "name=", Referer=NO_ADDRESS).status_code == 422
    for origin in (NO_ADDRESS, "null", "https://", "https://evil.example"):
        assert posted(reader, "name=one", Origin=origin).status_code == 403


@pytest.mark.parametrize("page", ["/sign-in", "/register", "/reset"])
def test_a_page_with_the_token_of_a_visit_is_kept_nowhere(front: Front, page: str) -> None:
    with browsing(front.url) as browser:
        first, again = browser.get(page), browser.get(page)
    assert "set-cookie" in first.headers
    assert "set-cookie" not in again.headers
    for answer in (first, again):
        assert form_token(answer)
        assert answer.headers["Cache-Control"] == "no-store"


def test_who_signs_out_of_a_session_that_is_over_keeps_no_cookie_of_it(reader: httpx.Client) -> None:
    token = form_token(reader.get("/account"))
    session = reader.cookies["proctor_session"].rpartition(".")[0]
    ended = httpx.delete(
        f"{reader.base_url}/api/v1/sessions/current", headers={"Authorization": f"Bearer {session}"}
    )
    assert ended.status_code == 204
    answer = reader.post("/api/v1/sessions/current?_method=DELETE", data={"_csrf": token, "_then": "/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "proctor_session" not in reader.cookies


@pytest.mark.parametrize(
    "page", ["/admin/workers", "/admin/people", "/admin/show", "/submissions", "/evaluations"]
)
def test_what_is_not_there_is_not_found(front: Front, admin: Person, page: str) -> None:
    with browsing(front.url, admin.email) as browser:
        assert browser.get(f"{page}/{uuid4()}").status_code == 404


def test_cookies_of_a_log_in_are_this_host_s_alone_over_https() -> None:
    keys = Keys("the secret of this installation")
    own, response = Browser(keys, secure=True), Response()
    own.keep(response, COOKIE, "mine", lasts=sign_ins.LASTS)
    set_ = response.headers["set-cookie"]
    assert set_.startswith(f"__Host-{COOKIE}=mine;")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in set_.split(";")}
    sent = f"{COOKIE}=of-a-host-beside; __Host-{COOKIE}=mine"
    for cookies, kept in ((sent, "mine"), (f"{COOKIE}=of-a-host-beside", None)):
        scope = {"type": "http", "headers": [(b"cookie", cookies.encode())]}
        assert Browser.of(scope, keys, secure=True).kept(COOKIE) == kept


def test_what_changes_something_outside_of_the_api_asks_for_a_page_of_this_server(
    front: Front, admin: Person, slug: str
) -> None:
    routes = {
        str(route.path).replace("{slug}", slug)
        for route in iter_route_contexts(front.app.routes)
        if isinstance(route.original_route, APIRoute)
        and set(route.methods or ()) - {"GET", "HEAD", "OPTIONS"}
    }
    outside = {path for path in routes if not path.startswith("/api/v1/")}
    plan = f"/organize/{slug}/documents/plan"
    assert outside == {"/sign-in/{key}", "/sign-in/with/{provider}", plan}
    fields = {"document": "rules", "title": "Rules of somebody else", "text": "Whatever.", "before": ""}
    with browsing(front.url, admin.email) as browser:
        refused = browser.post(plan, data=fields)
        assert refused.status_code == 403
        assert "Rules of somebody else" not in refused.text
        fields["_csrf"] = form_token(browser.get(f"/organize/{slug}/documents"))
        assert "Rules of somebody else" in browser.post(plan, data=fields).text


def test_forms_wait_in_memory_within_the_room_of_their_lane(front: Front, settings: Settings) -> None:
    lane = front.lanes["strangers"]
    ended = Keys(settings.secret_key.get_secret_value()).signed("proctor_session", "prs_ended")
    room = lane.terms.room // 4 - 100
    lane.hold("127.0.0.1", room)
    try:
        with httpx.Client(base_url=front.url, cookies={"proctor_session": ended}) as browser:
            answer = browser.post("/api/v1/tokens", content="a=" + "x" * 1000, headers=FORM)
            assert answer.status_code == 503
            assert browser.post("/api/v1/tokens", content="a=x", headers=FORM).status_code == 403
    finally:
        lane.drop("127.0.0.1", room)
    assert lane._held["127.0.0.1"] == 0, "what a form held is given back"


def test_a_large_form_is_taken_apart_beside_the_others(
    front: Front, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, parse = list[str](), Form.parse

    def noted(content: bytes) -> Form:
        threads.append(threading.current_thread().name)
        return parse(content)

    monkeypatch.setattr(Form, "parse", noted)
    session = Keys(settings.secret_key.get_secret_value()).signed("proctor_session", "prs_none")
    with httpx.Client(base_url=front.url, cookies={"proctor_session": session}) as browser:
        assert browser.post("/api/v1/tokens", content="a=" + "%41" * MIB, headers=FORM).status_code == 403
    assert len(threads) == 1
    assert threads[0].startswith("stream")


@pytest.mark.parametrize("then", ELSEWHERE)
def test_nobody_is_sent_elsewhere_after_signing_in(front: Front, person: MakePerson, then: str) -> None:
    with browsing(front.url) as browser:
        asked = browser.get("/sign-in", params={"then": then})
        assert not re.search(r'(href|value)="(//|/\\|https?:|javascript:)', asked.text)
        answer = sign_in(browser, person().email, then=then)
        assert answer.status_code == 303
        assert re.fullmatch(r"/[^/\\].*|/", answer.headers["Location"])


def test_a_page_of_a_board_for_somebody_reaches_nobody_else(
    front: Front, lab: Lab, team: Entrant, person: MakePerson
) -> None:
    scored(lab, team, 0.8)
    at, own = f"/challenges/{lab.slug}/leaderboards/validation?track=open", "Reader Rosalind"
    tricks: tuple[dict[str, str], ...] = (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic x"},
        {"Accept": "*/*", "X-Forwarded-Host": "evil.example"},
        {"Host": "evil.example"},
        {"If-None-Match": "*"},
    )
    with browsing(front.url, person(own).email) as browser, browsing(front.url) as other:
        for method in ("GET", "HEAD", "GET"):
            for trick in tricks:
                mine = browser.request(
                    method, at, headers={k: v for k, v in trick.items() if k != "Authorization"}
                )
                assert mine.headers["Cache-Control"] == "no-store"
                seen = other.request(method, at, headers=trick)
                assert own not in seen.text
                assert "form-token" not in seen.text
                assert "evil.example" not in seen.text
                assert "set-cookie" not in seen.headers
        assert own in browser.get(at).text


def test_that_entries_are_evaluated_again_tells_nothing_by_a_board_s_time_or_tag(
    lab: Lab, team: Entrant
) -> None:
    scored(lab, team, 0.8)
    again = False
    memory = Memory(Changes(Hearing(lab.sessions)), lambda *_: Around(again=again))

    def made(board: Board) -> Rendered:
        return rendered(board.out.model_dump_json().encode(), {}, public=True)

    def shown() -> tuple[bytes, bool]:
        with unit_of_work(lab.sessions) as session:
            challenge, asked = get_challenge(session, lab.slug), float("inf")
            found = memory.show(session, challenge, "validation", "json", asked=asked, render=made)
            return found.body, memory.board(session, challenge, "validation", asked=asked).around.again

    before, said = shown()
    assert not said
    again = True
    assert shown() == (before, True)


@pytest.fixture
def hostile(lab: Lab, team: Entrant) -> Entrant:
    """A team whose every text that somebody else reads is markup, as far as the database takes it."""
    evaluation = scored(lab, team, 0.8)
    asked = team.http.post(f"/challenges/{lab.slug}/questions", json={"text": EVIL})
    assert asked.status_code == 201, asked.text
    with unit_of_work(lab.sessions) as session:
        me = team.http.get("/me").json()["id"]
        session.execute(update(Team).where(Team.id == UUID(team.team)).values(name=EVIL, disclaimer=EVIL))
        session.execute(update(Account).where(Account.id == me).values(name=EVIL))
        session.execute(update(Evaluation).where(Evaluation.id == evaluation).values(reason=EVIL))
        session.execute(update(CaseRun).where(CaseRun.evaluation_id == evaluation).values(message=EVIL))
    return team


class Markup(HTMLParser):
    """Goes through a page; `wrong`: what no page has that nobody broke out of a value in."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            scheme = (value or "").strip().lower().partition(":")[0]
            leads = name in ("href", "src", "action", "formaction", "data")
            if (
                name.startswith("on")
                or name == "style"
                or value == "evil"
                or not re.fullmatch("[a-z0-9:-]+", name)
                or (leads and scheme in ("javascript", "data", "vbscript"))
            ):
                self.wrong.append(f"{tag} {name}={value}")


def pages_from(browser: httpx.Client, *first: str, within: str) -> dict[str, str]:
    """What stands at these addresses, and at those within `within` that they lead to."""
    found, waiting = dict[str, str](), deque(first)
    while waiting and len(found) < 120:
        at = waiting.popleft()
        if at in found:
            continue
        answer = browser.get(at)
        assert answer.status_code < 500, f"{at}: {answer.status_code}"
        found[at] = answer.text
        if answer.headers.get("content-type", "").startswith("text/html"):
            links = (urldefrag(unescape(link))[0] for link in re.findall(r'href="(/[^"]*)"', answer.text))
            waiting.extend(
                link for link in links if within in link and "sort=" not in link and "/bundle" not in link
            )
    return found


def test_no_name_or_message_that_a_stranger_chose_becomes_markup(
    front: Front, lab: Lab, hostile: Entrant, admin: Person
) -> None:
    with browsing(front.url, admin.email) as browser:
        first = f"/challenges/{lab.slug}", f"/organize/{lab.slug}"
        found = pages_from(browser, *first, "/admin/people", "/admin/evaluations", within=lab.slug)
    assert sum("onerror=alert(1)" in shown for shown in found.values()) > 5, "it is shown"
    for at, shown in found.items():
        if shown.lstrip().startswith("<"):
            markup = Markup()
            markup.feed(shown)
            assert not markup.wrong, at
