"""Pages of a team and of invitations: each form does what it says, and only whoever may sees and does it."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from server.database import SessionFactory
from tests.server.browsing import browsing, require_sound, sent, statements
from tests.server.conftest import Person
from tests.server.lab import Lab

Browse = Callable[[Person], httpx.Client]


@pytest.fixture
def browse(served: tuple[str, SessionFactory]) -> Iterator[Browse]:
    """Opens somebody's browser, signed in."""
    opened = []

    def browse(somebody: Person) -> httpx.Client:
        opened.append(browsing(served[0], somebody.email))
        return opened[-1].__enter__()

    yield browse
    for one in opened:
        one.__exit__(None, None, None)


def invitation(browser: httpx.Client, page: str, team: str) -> str:
    """The path of the link that a new invitation shows once."""
    shown = browser.get(page)
    action = f"/api/v1/teams/{team}/invitations"
    token = re.search(r'name="_csrf" value="([^"]+)"', shown.text)
    link = re.search(r'name="_link" value="([^"]+)"', shown.text)
    assert token is not None
    assert link is not None
    once = browser.post(
        action, data={"_csrf": token[1], "_then": page, "_link": link[1], "expires_in_days:int": "7"}
    )
    found = re.search(r"<code>(http\S+)</code>", once.text)
    assert found is not None, once.text
    assert found[1].startswith(str(browser.base_url).rstrip("/"))
    return found[1].removeprefix(str(browser.base_url).rstrip("/"))


def test_a_team_is_founded_and_joined_by_a_link(
    browse: Browse, person: Callable[..., Person], slug: str, served: tuple[str, SessionFactory]
) -> None:
    page = f"/challenges/{slug}/team"
    ada, eve = browse(person("Ada")), browse(person("Eve"))
    assert "Found a team" in require_sound(ada.get(page))
    founded = sent(ada, page, f"/api/v1/challenges/{slug}/teams", name="Pioneers", _done="Founded.")
    assert "Founded." in founded.text
    assert "<h1>Pioneers</h1>" in founded.text
    team = ada.get(f"/api/v1/challenges/{slug}/teams/mine").json()["id"]
    link = invitation(ada, page, team)
    with browsing(served[0]) as nobody:
        asked = nobody.get(link).headers["Location"]
        assert asked.startswith("/sign-in?then=%2Finvitations%2F")
        assert "You are invited to a team." in nobody.get(asked).text
    shown = require_sound(eve.get(link))
    assert "Join Pioneers" in shown
    assert 'action="/invitations"' in eve.get(page).text
    typed = eve.get("/invitations", params={"code": f" {link.rpartition('/')[2]} "})
    assert typed.headers["Location"] == link
    accept = re.search(r'action="(/api/v1/invitations/[^"]+/accept)"', shown)
    assert accept is not None
    eve.post(accept[1], data={"_csrf": re.findall(r'name="_csrf" value="([^"]+)"', shown)[0]})
    joined = require_sound(eve.get(page))
    assert "Ada" in joined
    assert "The captain invites." in joined
    assert "Webhooks" not in joined, "the captain's alone"
    assert "Take out</button>" not in joined
    used = eve.get(link)
    assert (used.status_code, "used or taken back" in used.text) == (410, True)
    assert "Pioneers" not in used.text
    assert eve.get("/invitations/nothing").status_code == 404


def test_members_are_taken_out_and_leave(
    browse: Browse, captain: Person, person: Callable[..., Person], slug: str
) -> None:
    page, team = f"/challenges/{slug}/team", captain.http.get(f"/challenges/{slug}/teams/mine").json()["id"]
    browser = browse(captain)
    assert "A team keeps at least one member." in browser.get(page).text
    eve = person("Eve")
    code = captain.http.post(f"/teams/{team}/invitations").json()["code"]
    eve.http.post(f"/invitations/{code}/accept")
    out = f"/api/v1/teams/{team}/members/{eve.id}?_method=DELETE"
    assert "Eve" not in sent(browser, page, out, _done="").text
    again = captain.http.post(f"/teams/{team}/invitations").json()["code"]
    eve.http.post(f"/invitations/{again}/accept")
    left = sent(browser, page, f"/api/v1/teams/{team}/members/me?_method=DELETE")
    assert "You have none in this challenge yet." in left.text


def test_an_invitation_is_taken_back(browse: Browse, captain: Person, slug: str, team_id: str) -> None:
    page, browser = f"/challenges/{slug}/team", browse(captain)
    link = invitation(browser, page, team_id)
    assert link.rpartition("/")[2] not in browser.get(page).text, "it is shown once"
    back = re.search(
        rf"/api/v1/teams/{team_id}/invitations/[0-9a-f-]+\?_method=DELETE", browser.get(page).text
    )
    assert back is not None
    assert "None is open." in sent(browser, page, back[0]).text
    assert browser.get(link).status_code == 410


def test_documents_are_read_and_accepted_where_they_are_needed(
    browse: Browse, admin: Person, person: Callable[..., Person], slug: str
) -> None:
    page = f"/challenges/{slug}/team"
    document = {"title": "Terms", "text": "Line <one>.", "document": "terms", "before": "team"}
    digest = admin.http.post(f"/organize/{slug}/agreements", json=document).json()["digest"]
    browser = browse(person("Ada"))
    shown = require_sound(browser.get(page))
    assert "Line &lt;one&gt;." in shown
    assert "First accept what stands above." in shown
    after = sent(browser, page, f"/api/v1/challenges/{slug}/agreements/{digest}/accept")
    assert "Found the team" in after.text
    founded = sent(browser, page, f"/api/v1/challenges/{slug}/teams", name="Readers")
    assert "You accepted it" in founded.text


def test_an_image_is_removed_and_storage_told(
    browse: Browse, lab: Lab, person: Callable[..., Person]
) -> None:
    ada = person("Ada")
    team = lab.entrant(ada.http, "Builders")
    browser, page = browse(ada), f"/challenges/{lab.slug}/team"
    assert team.image[7:19] in require_sound(browser.get(page))
    action = f"/api/v1/teams/{team.team}/images/{team.image}?_method=DELETE"
    after = sent(browser, page, action, _done="The image is removed.")
    assert "The image is removed." in after.text
    assert "Your team has no image here." in after.text


def test_a_webhook_is_added_tried_and_removed(
    browse: Browse, captain: Person, slug: str, team_id: str
) -> None:
    page, browser = f"/challenges/{slug}/team", browse(captain)
    action = f"/api/v1/teams/{team_id}/webhooks"
    token = re.findall(r'name="_csrf" value="([^"]+)"', browser.get(page).text)[0]
    fields = {"_csrf": token, "_then": page, "url": "https://8.8.8.8/hook", "kinds[]": "submission.ended"}
    once = browser.post(action, data=fields)
    assert "Shown once" in once.text, once.text
    shown = require_sound(browser.get(page))
    assert "https://8.8.8.8/hook" in shown
    assert "submission.ended" in shown
    hook = re.search(rf"{action}/[0-9a-f-]{{36}}", shown)
    assert hook is not None
    assert "queued" in sent(browser, page, hook[0], act="test").text
    gone = sent(browser, page, f"{hook[0]}?_method=DELETE")
    assert "https://8.8.8.8/hook" not in gone.text


def test_a_team_is_for_its_members(
    browse: Browse, captain: Person, stranger: Person, slug: str, team_id: str, sessions: SessionFactory
) -> None:
    other = browse(stranger)
    refused = other.get(f"/challenges/{slug}/team?team={team_id}")
    assert refused.status_code == 404
    assert "The First" not in refused.text
    assert "The First" not in other.get(f"/challenges/{slug}/team").text
    statements(browse(captain), sessions, f"/challenges/{slug}/team")
