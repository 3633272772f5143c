"""The first page, a challenge's page, its questions and its documents, by whoever looks."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from evaluator.spec import Challenge
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from server.pages import size
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_forms import form_token, sign_in

MakePerson = Callable[..., Person]


def put(sessions: SessionFactory, spec: Challenge, name: str, **dates: timedelta | None) -> str:
    """A challenge of one phase, with dates from now on."""
    at = datetime.now(UTC)
    moved = {key: None if delta is None else at + delta for key, delta in dates.items()}
    phase = spec.phases["validation"].model_copy(update={"title": "Only", **moved})
    slug = f"{name}-{uuid4().hex[:8]}"
    with unit_of_work(sessions) as session:
        changed = {"challenge": slug, "title": f"The {slug}", "phases": {"only": phase}}
        apply(session, spec.model_copy(update=changed), actor="tests")
    return slug


def test_what_runs_comes_first_with_its_next_date_and_past_editions_are_folded(
    browser: httpx.Client, served: tuple[str, SessionFactory], fomo26: Challenge
) -> None:
    day = timedelta(days=1)
    past = put(served[1], fomo26, "a-past", opens=-9 * day, closes=-day)
    coming = put(served[1], fomo26, "b-coming", opens=day, closes=9 * day)
    dateless = put(served[1], fomo26, "c-dateless", opens=None, closes=None)
    running = put(served[1], fomo26, "d-running", opens=-day, closes=0.5 * day)
    shown = browser.get("/").text
    places = [shown.index(f'href="/challenges/{slug}"') for slug in (running, coming, dateless, past)]
    assert places == sorted(places)
    assert shown.index("Past editions (") < places[-1]
    assert f'Only closes <time datetime="{datetime.now(UTC) + 0.5 * day:%Y-%m-%d}' in shown
    assert f"/challenges/{past}/leaderboards/only" in shown


def test_the_first_page_asks_no_more_for_more_challenges(
    browser: httpx.Client, served: tuple[str, SessionFactory], fomo26: Challenge
) -> None:
    """Nor where the boards of those whose leaders it names are made anew, which it does three times at most."""
    hour, minute, closing = timedelta(hours=1), timedelta(minutes=1), iter(range(12, 0, -1))

    def statements() -> int:
        with watched(served[1]) as asked:
            assert browser.get("/").status_code == 200
            return len(asked.said)

    def both() -> tuple[int, int]:
        """Where new ones are the first to close: as their boards are made, and as they are kept."""
        for _ in range(3):
            put(served[1], fomo26, "next", opens=-hour, closes=next(closing) * minute)
        return statements(), statements()

    statements()  # what others left is kept from here on
    anew, kept = both()
    for _ in range(4):
        put(served[1], fomo26, "later", opens=-hour, closes=99 * hour)
        put(served[1], fomo26, "dateless", opens=None)
    more_anew, more_kept = both()
    assert 0 < more_kept <= kept <= 16
    assert kept < more_anew <= anew <= kept + 3 * 16


def test_a_challenge_s_page_says_cases_prizes_and_steps_and_of_sealed_phases_no_count(
    lab: Lab, browser: httpx.Client
) -> None:
    lab.dataset("task5", cases=7)
    lab.dataset("task5", cases=11, phase="test")
    shown = browser.get(f"/challenges/{lab.slug}").text
    assert "7 cases in Validation" in shown
    assert "11 cases" not in shown
    assert "sub-00" not in shown
    for words in ("1. 500 USD, 2. 300 USD, 3. 200 USD", "Scored on", "weight 25 %", "pip install", "Today"):
        assert words in shown
    assert f'href="/register?then=/challenges/{lab.slug}"' in shown
    assert f'href="/challenges/{lab.slug}/leaderboards/test">leaderboard sealed' in shown


def test_the_dates_of_a_challenge_are_drawn_with_today_among_them(
    browser: httpx.Client, served: tuple[str, SessionFactory], fomo26: Challenge
) -> None:
    day = timedelta(days=1)
    slug = put(served[1], fomo26, "drawn", opens=-9 * day, closes=9 * day)
    shown = browser.get(f"/challenges/{slug}").text
    figure = shown[shown.index("<figure") : shown.index("</figure>")]
    assert "Dates of the phases" in figure
    assert "the vertical line is today" in figure
    assert re.search(r"<desc>Only: running, opens \d+ \w+ \d{4}, closes \d+ \w+ \d{4}", figure), figure
    assert "As a table" not in figure, "the page has the table itself"
    assert shown.index("</figure>") < shown.index('aria-label="Phases"')
    dateless = put(served[1], fomo26, "undrawn", opens=None, closes=None)
    assert "<figure" not in browser.get(f"/challenges/{dateless}").text


def test_who_is_in_a_team_is_led_on(lab: Lab, team: Entrant, browser: httpx.Client) -> None:
    sign_in(browser, team.http.get("/me").json()["email"])
    shown = browser.get(f"/challenges/{lab.slug}").text
    assert "your team The Team" in shown
    assert f'<a class="button primary" href="/challenges/{lab.slug}/submit">Submit</a>' in shown


def test_a_document_is_accepted_on_its_page(
    lab: Lab, team: Entrant, admin: Person, browser: httpx.Client
) -> None:
    document = {"title": "Rules", "text": "Be fair.", "before": "submission"}
    address = f"/organize/{lab.slug}/agreements"
    digest = admin.http.post(address, json=document).json()["digest"]
    at = f"/challenges/{lab.slug}/agreements/{digest}"
    assert "sign in</a>" in browser.get(at).text
    sign_in(browser, team.http.get("/me").json()["email"])
    offered = browser.get(at)
    assert "I have read it and accept it" in offered.text
    fields = {"_csrf": form_token(offered), "_then": at, "_done": "Accepted."}
    answer = browser.post(f"/api/v1{at}/accept", data=fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, at)
    assert "You accepted it" in browser.get(at).text
    assert ">accepted</span>" in browser.get(f"/challenges/{lab.slug}").text
    newer = admin.http.post(address, json={**document, "text": "Be fairer.", "again": True}).json()["digest"]
    old = browser.get(at).text
    assert "This is an earlier version" in old
    assert f"/agreements/{newer}" in old
    assert "I have read it" not in old
    assert browser.get(f"/challenges/{lab.slug}/agreements/sha256:nothing").status_code == 404


def test_a_team_asks_and_reads_what_is_its_own_and_others_what_is_for_everybody(
    lab: Lab, team: Entrant, admin: Person, person: MakePerson, browser: httpx.Client
) -> None:
    at = f"/challenges/{lab.slug}/questions"
    assert "Nothing was announced or asked yet" in browser.get(at).text
    email = team.http.get("/me").json()["email"]
    sign_in(browser, email)
    token = form_token(browser.get(at))
    fields = {"_csrf": token, "_then": at, "_done": "Asked.", "text:text": "May we <b>?", "task": "task5"}
    answer = browser.post(f"/api/v1{at}", data=fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, at)
    own = browser.get(at).text
    for words in ("May we &lt;b&gt;?", "your team", "waits for an answer", "task5"):
        assert words in own
    listed = admin.http.get(f"/organize/{lab.slug}/questions").json()
    admin.http.post(
        f"/organize/{lab.slug}/questions/{listed[0]['id']}/answer",
        json={"answer": "You may.", "everybody": True, "question": "Is it allowed?"},
    )
    admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": "A week more."})
    browser.cookies.clear()
    for email in (None, person().email):
        if email is not None:
            sign_in(browser, email)
        shown = browser.get(at).text
        assert "May we" not in shown
        for words in ("Is it allowed?", "You may.", "A week more.", "Announcement"):
            assert words in shown
        assert 'name="text:text"' not in shown, "whoever is in no team cannot ask"
    assert "Found a team or join one" in shown


def test_questions_have_pages(lab: Lab, admin: Person, browser: httpx.Client) -> None:
    for number in range(32):
        admin.http.post(f"/organize/{lab.slug}/announcements", json={"text": f"Number {number:02}."})
    at = f"/challenges/{lab.slug}/questions"
    first = browser.get(at).text
    assert "Number 31." in first
    assert "Number 01." not in first
    (older,) = re.findall(r'href="([^"]*before=[^"]*)"', first)
    second = browser.get(older).text
    assert "Number 01." in second
    assert "Number 02." not in second


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, "–"), (12, "12 B"), (64 * 2**30, "64 GiB"), (1_023 * 2**20, "1023 MiB"), (1536, "1.5 KiB")],
)
def test_sizes_have_no_exponents(count: float | None, said: str) -> None:
    assert size(count) == said
