"""Pages of cases: versions, what is sent, single cases with their slices, and who may see any of it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from click.testing import Result

from contract.organizers import Role
from server.challenges.service import get_challenge
from server.database import SessionFactory, unit_of_work
from server.organizers.models import ChallengeRole
from tests.abuse.boards import watched
from tests.server.conftest import Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.phantoms import phantom
from tests.server.test_forms import form_token, sign_in
from worker.score.consignments import work_off

_PAGE = {"Accept": "text/html"}
Browsing = Callable[..., httpx.Client]


@pytest.fixture
def browsing(
    served: tuple[str, SessionFactory], slug: str, person: Callable[..., Person]
) -> Iterator[Browsing]:
    """Browsers of people who are signed in, with a role in the challenge or without one."""
    opened = []

    def browse(role: Role | None = Role.ORGANIZER) -> httpx.Client:
        somebody = person("Olga")
        if role is not None:
            with unit_of_work(served[1]) as session:
                challenge = get_challenge(session, slug)
                row = {"challenge_id": challenge.id, "user_id": UUID(somebody.id), "role": role}
                session.add(ChallengeRole(**row, named_by="tests"))
        client = httpx.Client(base_url=served[0], headers=_PAGE, timeout=60)
        opened.append(client)
        assert sign_in(client, somebody.email).status_code == 303
        return client

    yield browse
    for client in opened:
        client.close()


def version_of(browser: httpx.Client, lab: Lab, state: str = "active") -> Json:
    rows = browser.get(f"/api/v1/admin/challenges/{lab.slug}/datasets").json()
    return next(dict(row) for row in rows if row["state"] == state)


def text(page: httpx.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub("<[^>]+>", " ", page.text).split())


@pytest.fixture
def maps(imported: Callable[..., Result], tmp_path: Path) -> None:
    imported(phantom(tmp_path, "task2"))


@pytest.mark.usefixtures("maps")
def test_every_page_is_for_organizers_and_observers_and_leads_others_away(
    browsing: Browsing, lab: Lab, browser: httpx.Client
) -> None:
    organizer, observer, stranger = browsing(), browsing(Role.OBSERVER), browsing(None)
    version = version_of(organizer, lab)["id"]
    here = f"/organize/{lab.slug}/datasets"
    case = organizer.get(f"/api/v1{here}/{version}/cases").json()[0]["id"]
    pages = (here, f"{here}/{version}", f"{here}/{version}?check=true", f"{here}/{version}/cases/{case}")
    for path in pages:
        for reader in (organizer, observer):
            page = reader.get(path)
            assert page.status_code == 200, page.text
            assert len(re.findall("<h1", page.text)) == 1
            assert "style=" not in page.text
        page = stranger.get(path)
        assert page.status_code == 403
        assert "sub-0" not in page.text
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, "/sign-in")
    assert "/correction" in organizer.get(pages[-1]).text
    assert "/correction" not in observer.get(pages[-1]).text
    assert "import-cases" not in observer.get(here).text
    assert "sub-0" not in organizer.get(here).text, "the list of versions names no case"


def test_a_challenge_without_cases_says_what_would_stand_there(browsing: Browsing, slug: str) -> None:
    page = browsing().get(f"/organize/{slug}/datasets")
    assert "No cases yet" in page.text
    assert f"proctor-admin import-dataset FOLDER --challenge {slug}" in page.text


@pytest.mark.usefixtures("maps")
def test_a_case_shows_where_it_is_and_a_press_moves_it(browsing: Browsing, lab: Lab) -> None:
    organizer = browsing()
    version = version_of(organizer, lab)["id"]
    here = f"/organize/{lab.slug}/datasets/{version}/cases"
    cases = organizer.get(f"/api/v1{here}").json()
    one = f"{here}/{cases[0]['id']}"
    first = re.search(r"At x (\d+), y (\d+), z (\d+)", text(organizer.get(one)))
    assert first is not None
    assert first.groups() == ("1", "1", "2"), "where the label is, and not the middle of the head"
    page = organizer.get(f"{one}?x=3&y=4&z=5")
    assert "At x 3, y 4, z 5" in text(page)
    pictures = re.findall(r'src="(/api/v1/[^"]+slices/[^"]*)"', page.text)
    assert [re.search(r"/(\w+)\?", picture)[1] for picture in pictures] == [  # type: ignore[index]
        "axial",
        "coronal",
        "sagittal",
    ]
    for picture in pictures:
        assert "sub-0" not in picture
        assert organizer.get(picture.replace("&amp;", "&")).headers["Content-Type"] == "image/png"
    moved = organizer.get(f"{one}?x=3&y=4&z=5&axial.x=0&axial.y=299")
    assert moved.status_code == 303
    side = len(pictures) and organizer.get(f"/api/v1{one}").json()["image"]["shape"][0]
    assert moved.headers["Location"] == f"{one}?x={side - 1}&y=0&z=5"
    assert organizer.get(f"{one}?x=3&y=4&z=5&axial.x=0&axial.y=0").status_code == 200
    assert "At x" in text(organizer.get(f"{one}?x=999&y=-7&low=nonsense&high=1e300"))
    assert organizer.get(f"{one}?evaluation=nonsense").status_code == 404
    assert "Volume, ml" in page.text


def follow(browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 303, answer.text
    return browser.get(answer.headers["Location"])


def test_a_label_is_corrected_by_a_form_and_comes_into_force_by_another(
    imported: Callable[..., Result], browsing: Browsing, lab: Lab, team: Entrant, tmp_path: Path
) -> None:
    imported(phantom(tmp_path, "task5", cases=8))
    team.submit()
    organizer = browsing()
    version = version_of(organizer, lab)["id"]
    here = f"/organize/{lab.slug}/datasets/{version}"
    case = organizer.get(f"/api/v1{here}/cases").json()[1]
    page = organizer.get(f"{here}/cases/{case['id']}")
    assert 'class="reference-value">0</p>' in page.text
    fields = {
        "_csrf": form_token(page),
        "_then": f"/organize/{lab.slug}/consignments/{{id}}",
        "label": "1",
        "sex": "",
        "why": "read again",
        "accept:bool": "true",
    }
    waiting = follow(organizer, organizer.post(f"/api/v1{here}/cases/{case['id']}/correction", data=fields))
    assert "It waits for a score worker" in text(waiting)
    assert 'http-equiv="refresh"' in waiting.text
    work_off(lab.sessions, lab.settings)
    done = organizer.get(waiting.url)
    assert "With another label 1 case: sub-02" in text(done)
    staged = version_of(organizer, lab, "staged")["id"]
    assert f"/organize/{lab.slug}/datasets/{staged}" in done.text
    page = organizer.get(f"/organize/{lab.slug}/datasets/{staged}")
    assert "1 evaluation that waits or runs keeps the cases it has" in text(page)
    fields = {"_csrf": form_token(page), "why": "read again"}
    asked = organizer.post(f"/api/v1/admin/datasets/{staged}/activate", data=fields)
    assert asked.status_code == 409
    assert "Yes, do it" in asked.text
    answer = organizer.post(f"/api/v1/admin/datasets/{staged}/activate", data={**fields, "yes:bool": "true"})
    assert answer.status_code == 303
    assert version_of(organizer, lab)["id"] == staged
    told = organizer.get(f"/organize/{lab.slug}/datasets/{version}/difference?against={staged}")
    assert "sub-02" in told.text


@pytest.mark.usefixtures("maps")
def test_cases_are_withdrawn_and_a_refusal_says_what_was_wrong(browsing: Browsing, lab: Lab) -> None:
    organizer = browsing()
    here = f"/organize/{lab.slug}/datasets/{version_of(organizer, lab)['id']}"
    fields = {
        "_csrf": form_token(organizer.get(here)),
        "_then": f"/organize/{lab.slug}/consignments/{{id}}",
        "withdraw:lines": "sub-99\n",
        "why": "none",
    }
    page = follow(organizer, organizer.post(f"/api/v1{here}/corrections", data=fields))
    work_off(lab.sessions, lab.settings)
    page = organizer.get(page.url)
    assert "Nothing was made." in text(page)
    assert "sub-99" in page.text
    listed = organizer.get(f"/organize/{lab.slug}/datasets")
    assert "refused" in text(listed)
    assert "sub-99" not in listed.text


@pytest.mark.usefixtures("maps")
def test_a_label_map_is_sent_by_the_page_s_script_under_the_case_s_id(browsing: Browsing, lab: Lab) -> None:
    organizer = browsing()
    here = f"/organize/{lab.slug}/datasets/{version_of(organizer, lab)['id']}"
    cases = organizer.get(f"/api/v1{here}/cases").json()
    page = organizer.get(f"{here}/cases/{cases[0]['id']}")
    path = re.search(r'data-label="([^"]+)"', page.text)
    token = re.search(r'name="form-token" content="([^"]+)"', page.text)
    assert path is not None
    assert token is not None
    assert cases[0]["id"] in path[1]
    headers = {"X-Form-Token": token[1], "Accept": "application/json"}
    answer = organizer.put(path[1], params={"why": "drawn anew"}, content=b"no map", headers=headers)
    assert answer.status_code == 202, answer.text
    work_off(lab.sessions, lab.settings)
    ended = organizer.get(f"/organize/{lab.slug}/consignments/{answer.json()['id']}")
    assert "sub-01" in ended.text, "the case was found by its id"


def test_pages_ask_the_database_no_more_for_more(browsing: Browsing, lab: Lab) -> None:
    organizer, counts = browsing(), list[int]()
    for more in (2, 40):
        for _ in range(2):
            lab.dataset("task5", cases=more)
        version = version_of(organizer, lab)["id"]
        here = f"/organize/{lab.slug}/datasets"
        case = organizer.get(f"/api/v1{here}/{version}/cases").json()[0]["id"]
        asked = []
        for path in (here, f"{here}/{version}", f"{here}/{version}/cases/{case}"):
            assert organizer.get(path).status_code == 200
            with watched(lab.sessions) as statements:
                assert organizer.get(path).status_code == 200
            asked.append(len(statements.said))
        assert max(asked) <= 40, asked
        counts.append(sum(asked))
    assert counts[1] <= counts[0], counts
