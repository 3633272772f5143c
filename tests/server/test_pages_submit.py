"""The page that submits: what it costs is said before, an image is not run twice unasked, and a reload does nothing."""

import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from server import assets
from server.database import SessionFactory
from tests.server.browsing import browsing, hidden_field, require_sound, sent, statements
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, Lab

STATIC = Path(assets.__file__).parent / "web" / "static"
NODE = shutil.which("node")
Team = tuple[Person, Entrant, httpx.Client]


@pytest.fixture
def mine(lab: Lab, person: Callable[..., Person], served: tuple[str, SessionFactory]) -> Iterator[Team]:
    ada = person("Ada")
    entrant = lab.entrant(ada.http, "The Team")
    with browsing(served[0], ada.email) as browser:
        yield ada, entrant, browser


def check(team: Entrant, *tasks: str, track: str = "open", phase: str = "validation") -> str:
    """The address of the page that says what these tasks cost."""
    chosen = {f"image.{task}": team.image for task in tasks}
    query = httpx.QueryParams({"track": track, "phase": phase, "team": team.team, **chosen})
    return f"/challenges/{team.slug}/submit/check?{query}"


def submitted(browser: httpx.Client, page: str) -> httpx.Response:
    """What follows the form of a page that says what it costs."""
    shown = browser.get(page)
    names = re.findall(
        r'name="((?:_csrf|_then|_key|team|track|phase|images\.[^"]+))" value="([^"]*)"', shown.text
    )
    fields = {name: value for name, value in names if not (name == "_then" and value == "/")}
    action = re.search(r'action="(/api/v1/challenges/[^"]+/submissions)"', shown.text)
    assert action is not None, shown.text
    return browser.post(action[1], data=fields)


def test_whoever_has_no_team_or_no_image_is_told_what_comes_first(
    served: tuple[str, SessionFactory], person: Callable[..., Person], slug: str, captain: Person
) -> None:
    page = f"/challenges/{slug}/submit"
    with browsing(served[0]) as nobody:
        assert nobody.get(page).headers["Location"].startswith("/sign-in?then=")
    with browsing(served[0], person().email) as browser:
        shown = require_sound(browser.get(page))
        assert "You have no team in this challenge." in shown
        assert "upload.js" not in shown
    with browsing(served[0], captain.email) as browser:
        shown = require_sound(browser.get(page))
        for part in ("Your team has no image here.", "proctor submit IMAGE", "upload.js", "data-upload"):
            assert part in shown, part


def test_what_stands_in_the_way_is_said_before_anything_is_sent(
    mine: Team, admin: Person, sessions: SessionFactory
) -> None:
    _, team, browser = mine
    document = {"title": "Terms", "text": "Text.", "document": "terms", "before": "submission"}
    digest = admin.http.post(f"/organize/{team.slug}/agreements", json=document).json()["digest"]
    pages = f"/challenges/{team.slug}/submit", check(team, "task5")
    for page in pages:
        shown = require_sound(browser.get(page))
        assert "You have not accepted “Terms”." in shown
        assert "upload.js" not in shown
        assert "Submit 1 task" not in shown
    team.http.post(f"/challenges/{team.slug}/agreements/{digest}/accept")
    assert "upload.js" in browser.get(pages[0]).text
    assert "Submit 1 task" in browser.get(pages[1]).text
    answer = admin.http.patch(f"/admin/teams/{team.team}", json={"disqualified": "It looked."})
    assert answer.status_code == 200
    for page in pages:
        assert "is disqualified. The organizers&#39; reason: It looked." in browser.get(page).text


def test_only_this_page_may_run_a_worker_of_this_server(mine: Team) -> None:
    _, team, browser = mine
    policy = browser.get(f"/challenges/{team.slug}/submit").headers["Content-Security-Policy"]
    assert "worker-src 'self'" in policy
    assert "worker-src" not in browser.get(check(team, "task5")).headers["Content-Security-Policy"]


def test_what_it_costs_is_said_and_then_it_is_submitted(mine: Team) -> None:
    _, team, browser = mine
    page = check(team, "task5")
    shown = require_sound(browser.get(page))
    left = team.quota()["left"]
    assert f"<td>{left}</td><td>{left - 1}</td>" in shown
    uploads = team.http.get(f"/teams/{team.team}/uploads").json()
    assert all(one["filename"] in shown for one in uploads if one["image"] and one["filename"])
    assert "The very same image once more." not in shown
    answer = submitted(browser, page)
    assert answer.status_code == 303, answer.text
    assert re.fullmatch(r"/submissions/[0-9a-f-]{36}", answer.headers["Location"])
    assert "queued" in browser.get(answer.headers["Location"]).text
    assert team.quota()["left"] == left - 1


def test_a_form_that_is_sent_twice_submits_once(mine: Team) -> None:
    _, team, browser = mine
    shown = browser.get(check(team, "task5"))
    fields = {
        "_csrf": hidden_field(shown, "_csrf"),
        "_key": hidden_field(shown, "_key"),
        "_then": "/submissions/{id}",
        "team": team.team,
        "track": "open",
        "phase": "validation",
        "images.task5": team.image,
    }
    address = f"/api/v1/challenges/{team.slug}/submissions"
    first, second = (browser.post(address, data=fields).headers["Location"] for _ in range(2))
    assert first == second
    other = {**fields, "_key": "another"}
    assert browser.post(address, data=other).headers["Location"] != first
    without = {name: value for name, value in fields.items() if name != "_key"}
    assert "Idempotency-Key" in browser.post(address, data=without).text
    assert browser.post(address, data={**fields, "_key": "schlüssel"}).status_code == 400


def test_an_image_that_runs_there_already_is_asked_about(mine: Team) -> None:
    _, team, browser = mine
    evaluation = team.submit()
    shown = require_sound(browser.get(check(team, "task5")))
    assert "The very same image once more." in shown
    assert 'name="_again" value="yes" required' in shown
    assert "The very same image" not in browser.get(check(team, "task5", track="method")).text
    team.http.post(f"/evaluations/{evaluation}/cancel")
    assert "The very same image" not in browser.get(check(team, "task5")).text, "it was given back"


def test_what_cannot_be_submitted_has_no_button(mine: Team) -> None:
    _, team, browser = mine
    for _ in range(team.quota()["left"]):
        team.submit()
    shown = require_sound(browser.get(check(team, "task5")))
    assert "No attempt is left." in shown
    assert "cannot be submitted" in shown
    assert '/submissions"' not in shown
    assert "You chose no image." in browser.get(check(team)).text
    assert browser.get(check(team, "task99")).status_code == 422
    assert browser.get(check(team, "task5", track="nowhere")).status_code == 422


def test_uploads_that_wait_or_failed_are_listed_and_ended(mine: Team, sessions: SessionFactory) -> None:
    ada, team, browser = mine
    location = Tus(ada.http).begin(team.slug, b"half of it", filename="model.tar")
    page = f"/challenges/{team.slug}/submit"
    shown = require_sound(browser.get(page))
    assert "model.tar" in shown
    assert "Choose the same file again to go on." in shown
    statements(browser, sessions, page)
    action = f"/api/v1/uploads/{location.rpartition('/')[2]}?_method=DELETE"
    assert "model.tar" not in sent(browser, page, action).text


def test_a_script_of_the_page_uploads_with_the_cookie_and_its_token(mine: Team) -> None:
    _, team, browser = mine
    data = b"an archive in two pieces"
    token = re.search(
        r'name="form-token" content="([^"]+)"', browser.get(f"/challenges/{team.slug}/submit").text
    )
    assert token is not None
    tus = Tus(browser)
    browser.headers.update({"X-Form-Token": token[1], "Accept": "application/json"})
    created = browser.post(
        f"/api/v1/challenges/{team.slug}/uploads",
        headers={
            "Upload-Length": str(len(data)),
            "Upload-Metadata": _metadata(sha256=sha256(data).hexdigest()),
        },
    )
    assert created.status_code == 201, created.text
    location = str(browser.base_url.join(created.headers["Location"]))
    assert tus.patch(location, 0, data[:10]).status_code == 204
    assert tus.offset(location) == 10
    del browser.headers["X-Form-Token"]
    assert tus.patch(location, 10, data[10:]).status_code == 403


def _metadata(**values: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


@pytest.mark.skipif(NODE is None, reason="node is not installed; the browser's tests send whole archives")
def test_the_digest_that_the_page_computes_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "sha256.mjs").write_text((STATIC / "sha256.js").read_text())
    lengths = (0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 100_003)
    (tmp_path / "run.mjs").write_text(
        'import { Sha256 } from "./sha256.mjs";\n'
        f"for (const n of {list(lengths)}) {{\n"
        "  const bytes = new Uint8Array(n).map((_, i) => (i * 31 + 7) & 255), sha = new Sha256();\n"
        "  for (let at = 0; at < n; at += 37) sha.update(bytes.subarray(at, at + 37));\n"
        "  console.log(sha.hex());\n}\n"
    )
    found = subprocess.run([str(NODE), "run.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    wanted = [sha256(bytes((i * 31 + 7) & 255 for i in range(n))).hexdigest() for n in lengths]
    assert found.stdout.split() == wanted
