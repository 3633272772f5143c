"""Every link of every page, followed by each kind of reader: none leads to what they may not see, or to nothing."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from urllib.parse import parse_qsl, urldefrag, urljoin, urlsplit

import httpx
import pytest

from server.browser.keys import Keys
from server.settings import Settings
from tests.browser.season import Seeded, pages
from tests.server.conftest import Person

_LINK = re.compile(r'<(?:a|img|link|script|input)\s[^>]*?\b(?:href|src)="([^"]+)"')
_LEAST = {"nobody": 25, "participant": 35, "member": 45, "observer": 90, "organizer": 100, "admin": 130}
"""Links that are found at least: a walk that ends at once finds nothing wrong."""
_HEADERS = {"Accept": "text/html", "Connection": "close"}  # a server that erred ends a connection, too
_SEALED = 'board <span class="phase">sealed</span></h1>'
"""What a board says that is not open yet: a page of its challenge, with when it opens and who decides."""
_Token = str | None


@pytest.fixture
def readers(season: Seeded, admin: Person, person: Callable[..., Person]) -> dict[str, _Token]:
    """The token of one of each kind: a captain is a member whose team is on the boards."""
    known: dict[str, _Token] = {"nobody": None, "participant": person("Newcomer").token, "admin": admin.token}
    for role in ("observer", "organizer"):
        somebody = person(role.title())
        body = {"email": somebody.email, "role": role, "yes": True}
        assert admin.http.put(f"/organize/{season.lab.slug}/organizers", json=body).is_success
        known[role] = somebody.token
    teams = admin.http.get("/admin/teams", params={"challenge": season.lab.slug}).json()["items"]
    assert any(team["name"] == "Northern Lights" for team in teams)
    member = person("Member")
    invitation = admin.http.post(f"/teams/{season.ids['own']}/invitations", json={"expires_in_days": 7})
    joined = member.http.post(f"/invitations/{invitation.json()['code']}/accept", json={})
    assert joined.is_success, joined.text
    known["member"] = member.token
    return known


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param(("nobody", "member", "observer"), id="those who may do least"),
        pytest.param(("participant", "organizer", "admin"), id="the others", marks=pytest.mark.long),
    ],
)
def test_no_link_of_a_page_leads_its_reader_to_a_refusal_or_to_nothing(
    season: Seeded, readers: dict[str, _Token], settings: Settings, site: str, roles: tuple[str, ...]
) -> None:
    keys = Keys(settings.secret_key.get_secret_value())
    starts = [season.address(path) for path in pages()]
    wrong: list[str] = []
    for role in roles:
        token = readers[role]
        cookies = {} if token is None else {"proctor_session": keys.signed("proctor_session", token)}
        with httpx.Client(base_url=site, headers=_HEADERS, cookies=cookies, timeout=120) as browser:
            followed, faults = walk(browser, starts)
        wrong += [f"{role}: {one}" for one in faults]
        assert followed >= _LEAST[role], f"{role}: only {followed} links were followed"
    assert not wrong, "\n".join(wrong)


def walk(browser: httpx.Client, starts: Iterable[str]) -> tuple[int, list[str]]:
    """How many links were followed from the pages that the reader may see, and which lead nowhere."""
    waiting: deque[tuple[str, str]] = deque()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    wrong: list[str] = []
    for start in starts:
        answer = browser.get(start)
        if answer.status_code < 400:  # what this reader may not see is nothing that a page may lead to
            seen.add(_kind(start))
        waiting.extend((link, start) for link in links(start, answer))
    followed = 0
    while waiting:
        address, page = waiting.popleft()
        if _kind(address) in seen:
            continue
        seen.add(_kind(address))
        followed += 1
        answer = browser.get(address)
        if answer.status_code >= 400 and _SEALED not in answer.text:
            wrong.append(f"{page} leads to {address}, which is answered {answer.status_code}")
        waiting.extend((link, address) for link in links(address, answer))
    return followed, wrong


def links(page: str, answer: httpx.Response) -> Iterator[str]:
    """Where an answer leads on this server, without what is after the number sign."""
    told = [answer.headers["Location"]] if answer.is_redirect else []
    if answer.is_success and answer.headers.get("Content-Type", "").startswith("text/html"):
        told = [unescape(link) for link in _LINK.findall(answer.text)]
    for link in told:
        whole = urldefrag(urljoin(f"http://here{page}", link)).url
        if whole.startswith("http://here/"):
            yield whole.removeprefix("http://here")


def _kind(address: str) -> tuple[str, tuple[str, ...]]:
    """Addresses that differ in what their query holds lead to one page, as those of a table's columns do.

    Of the bundles of several phases one is made, which takes seconds.
    """
    parts = urlsplit(address)
    path = re.sub("/phases/[^/]+/bundle$", "/phases/any/bundle", parts.path)
    return path, tuple(sorted({name for name, _ in parse_qsl(parts.query)}))
