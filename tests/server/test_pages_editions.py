"""Pages of what has changed since a leaderboard was released: who sees them, what they say, and what they do not."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from server.database import unit_of_work
from server.teams.models import Team
from tests.server.browsing import browsing, require_sound, statements
from tests.server.conftest import Person
from tests.server.lab import Entrant
from tests.server.organizer import Admin
from tests.server.reevaluating import Organizing
from tests.server.test_editions import Editions, MakeEntrant, editions, teams, valued
from tests.server.test_leaderboard import scored

__all__ = ["editions", "teams"]

_ROW = r'class="team">(\w+)</th><td>(\S+?)(?:<small.*?</small>)?</td><td>(\S+)</td>'


@pytest.fixture
def site(nobody: httpx.Client) -> Iterator[httpx.Client]:
    with browsing(str(nobody.base_url).split("/api/")[0]) as browser:
        yield browser


@pytest.fixture
def turned(editions: Editions, teams: dict[str, Entrant]) -> Editions:
    """The board of the test phase is released, and a re-evaluation has turned it upside down since."""
    editions.release()
    organizing = Organizing(editions.lab, editions.admin)
    made = organizing.ready(valued(teams, {"Ada": 0.1, "Bob": 0.2, "Cyd": 0.3}), scope={"phases": ["test"]})
    organizing.apply(made)
    return editions


def at(editions: Editions, rest: str = "") -> str:
    return f"/challenges/{editions.lab.slug}/leaderboards/test{rest}"


def since(editions: Editions, number: int = 1, *, form: str = "") -> str:
    return at(editions, f"/differences{form}?track=open&against=edition-{number}")


def test_the_page_says_who_moved_since_the_release_and_by_what(turned: Editions, site: httpx.Client) -> None:
    page = require_sound(site.get(since(turned)))
    assert "<h1>Places since the release" in page
    assert "<b>2 teams stand elsewhere now</b>, of 3." in page
    assert re.findall(_ROW, page)[:3] == [("Cyd", "3", "1"), ("Bob", "2", "2"), ("Ada", "1", "3")]
    assert "3 evaluations made anew count in place of those that did" in page
    assert "Each line joins a team&#39;s place then (left) to its place now (right)" in page
    assert "its own values on task5 changed" in page
    assert "<td>0.900</td><td>0.100</td>" in page or "<td>0.9000</td><td>0.1000</td>" in page
    own = require_sound(site.get(since(turned, 2)))
    assert "All 3 teams stand where they stood." in own
    assert "<h1>Places since edition 2" in own


def test_earlier_releases_stand_among_what_places_are_set_beside(
    turned: Editions, site: httpx.Client
) -> None:
    turned.lab.work_out()
    page = require_sound(site.get(at(turned, "/differences?track=open")))
    options = re.findall(r'<option value="([^"]+)"', page)
    assert options[:2] == ["edition-2", "edition-1"]
    assert len(options) > 2, "the rules that differ stand behind them"
    assert "<h1>Places under another rule" in page


def test_the_board_says_that_it_changed_since_its_release_and_only_then(
    editions: Editions, teams: dict[str, Entrant], site: httpx.Client
) -> None:
    editions.release()
    address = at(editions, "?track=open")
    assert "Changed since its release" not in require_sound(site.get(address))
    assert editions.desk.decide(teams["Ada"], "disqualify").status_code == 200
    for path in (address, at(editions, "/boards/task5?track=open")):
        page = require_sound(site.get(path))
        assert "3 teams stand elsewhere now." in page
        assert f'href="{since(editions).replace("&", "&amp;")}"' in page
    assert editions.desk.decide(teams["Ada"], "reinstate").status_code == 200
    assert "Changed since its release" not in site.get(address).text


def test_the_table_is_a_file_too(turned: Editions, site: httpx.Client, teams: dict[str, Entrant]) -> None:
    with unit_of_work(turned.lab.sessions) as session:
        session.execute(update(Team).where(Team.id == teams["Cyd"].team).values(name="=1+1"))
    answer = site.get(since(turned, form=".csv"))
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["team"], row["place then"], row["place now"], row["moves"]) for row in rows] == [
        ("'=1+1", "3", "1", "2 up"),
        ("Bob", "2", "2", "the same"),
        ("Ada", "1", "3", "2 down"),
    ]
    assert (rows[2]["task5 auroc then"], rows[2]["task5 auroc now"]) == ("0.9", "0.1")
    turned.lab.work_out()
    rule = site.get(at(turned, "/differences.csv?track=open&against=ties:+dense")).text.splitlines()
    assert rule[0] == "team,place now,place there,moves"
    assert len(rule) == 4


def test_each_role_sees_it_with_the_board_and_nobody_else(
    turned: Editions, site: httpx.Client, admin: Person, teams: dict[str, Entrant]
) -> None:
    root, captain = str(site.base_url), teams["Ada"].http.get("/me").json()["email"]
    turned.act("unrelease")
    for form in ("", ".csv"):
        for email in (None, captain):
            with browsing(root, email) as browser:
                answer = browser.get(since(turned, form=form))
                assert answer.status_code == 403
                assert "Ada" not in answer.text.replace("Ada</a>", "")
                assert "Bob" not in answer.text
        with browsing(root, admin.email) as browser:
            assert browser.get(since(turned, form=form)).status_code == 200
    turned.release()
    with browsing(root, captain) as browser:
        assert "Bob" in require_sound(browser.get(since(turned)))


def test_who_is_no_longer_listed_is_not_named(
    turned: Editions, site: httpx.Client, teams: dict[str, Entrant]
) -> None:
    assert turned.desk.decide(teams["Bob"], "hide").status_code == 200
    page = require_sound(site.get(since(turned)))
    assert "no longer listed" in page
    for path in (since(turned), since(turned, form=".csv"), at(turned, "?track=open")):
        assert "Bob" not in site.get(path).text


def test_what_is_not_there_is_said(editions: Editions, teams: dict[str, Entrant], site: httpx.Client) -> None:
    editions.release()
    for number in ("9", "0", "0009999"):
        missing = site.get(at(editions, f"/differences?track=open&against=edition-{number}"))
        assert "has no edition" in require_sound(missing, status=404)
    other = site.get(at(editions, "/differences?track=method&against=edition-1"))
    assert "No team had a place then" in require_sound(other)
    for odd in ("edition-", "edition-x", "edition-99999999", "edition-²"):
        assert site.get(at(editions, f"/differences?track=open&against={odd}")).status_code == 200


def test_a_mirror_carries_what_has_changed_since_the_release(
    turned: Editions, command: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCTOR_HOLD_ENDS", "false")
    done = command("mirror", turned.lab.slug, tmp_path / "mirror")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "mirror/leaderboards/test/differences"
    pages = [page.read_text() for page in folder.rglob("index.html")]
    (found,) = [page for page in pages if "Places since the release" in page and "open track" in page]
    assert "2 teams stand elsewhere now" in found
    told = json.loads((tmp_path / "mirror/api/phases/test/editions.json").read_text())
    assert [one["number"] for one in told] == [2, 1]


def test_more_teams_cost_no_more_statements(
    turned: Editions, site: httpx.Client, entrant: MakeEntrant
) -> None:
    before = statements(site, turned.lab.sessions, since(turned))
    for name in ("Dan", "Eve", "Fay"):
        scored(turned.lab, entrant(name), 0.5, phase="test")
    assert statements(site, turned.lab.sessions, since(turned)) <= before
