"""Pages of what stands behind a board: they say what the API says, to whom it says it, with drawings of the same."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.seeded import Season, play
from tests.server.test_forms import sign_in

MakeEntrant = Callable[[str], Entrant]


@pytest.fixture
def site(lab: Lab, nobody: httpx.Client) -> Iterator[httpx.Client]:
    root = str(nobody.base_url).split("/api/")[0]
    with httpx.Client(base_url=root, headers={"Accept": "text/html"}, timeout=60) as client:
        yield client


@pytest.fixture
def season(lab: Lab, entrant: MakeEntrant, admin: Person) -> Season:
    return play(lab, entrant, admin)


def here(lab: Lab) -> str:
    return f"/challenges/{lab.slug}/leaderboards/validation"


def two_of(site: httpx.Client, lab: Lab) -> dict[str, Any]:
    """What asks for the comparison of the first two entries of a board."""
    tracks = site.get(f"/api/v1{here(lab)}").json()["tracks"]
    boards = next(one for one in tracks if one["track"] == "open")["boards"]
    entries = next(one for one in boards if one["board"] == "task2")["entries"]
    return {"track": "open", "board": "task2", "team": [one["team"] for one in entries[:2]]}


def checked(answer: httpx.Response) -> str:
    """The page's text, once it is such as every page is."""
    assert answer.status_code == 200, answer.text
    assert answer.text.count("<h1") == 1
    assert " style=" not in answer.text
    assert "<script>" not in answer.text
    return answer.text


def test_how_sure_says_what_the_api_says(site: httpx.Client, lab: Lab, season: Season) -> None:
    shown = checked(site.get(f"{here(lab)}/certainty?track=open"))
    sure = site.get(f"/api/v1{here(lab)}/certainty?track=open").json()
    for winner in sure["certainty"]["winners"]:
        assert winner in shown
    assert "How sure each place is" in shown
    for sentence in sure["certainty"]["decision"]["sentences"]:
        assert sentence.replace("'", "&#39;") in shown
    file = site.get(f"{here(lab)}/certainty?track=open&picture=places&as=csv")
    rows = list(csv.reader(io.StringIO(file.text)))
    assert [row[0] for row in rows[1:]] == [one["team"] for one in sure["overall"]]
    drawing = site.get(f"{here(lab)}/certainty?track=open&picture=places&as=svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    assert "<title>" in drawing.text
    assert site.get(f"{here(lab)}/certainty?track=open&picture=none").status_code == 404


def test_a_track_without_entries_says_what_would_stand_there(
    site: httpx.Client, lab: Lab, season: Season
) -> None:
    for path in ("certainty", "comparison", "tasks/task1"):
        assert "yet" in checked(site.get(f"{here(lab)}/{path}?track=method"))


def test_entries_are_compared_as_the_api_compares_them(site: httpx.Client, lab: Lab, season: Season) -> None:
    asked = two_of(site, lab)
    shown = checked(site.get(f"{here(lab)}/comparison", params=asked))
    found = site.get(f"/api/v1{here(lab)}/comparison", params=asked).json()
    assert found["hidden"] in shown
    for metric in found["metrics"]:
        assert metric["title"] in shown
    assert "picture=cases-" not in shown, "single cases are shown once the phase is released"
    form = checked(site.get(f"{here(lab)}/comparison?track=open"))
    assert form.count('name="team"') >= 2


def test_single_cases_are_for_organizers_until_the_phase_is_released(
    site: httpx.Client, lab: Lab, season: Season, admin: Person
) -> None:
    asked = two_of(site, lab)
    assert "picture=distribution-" not in checked(site.get(f"{here(lab)}/tasks/task2?track=open"))
    assert sign_in(site, admin.email).status_code == 303
    assert "picture=distribution-dsc" in checked(site.get(f"{here(lab)}/tasks/task2?track=open"))
    shown = checked(site.get(f"{here(lab)}/comparison", params=asked))
    assert "picture=cases-dsc" in shown
    values = site.get(f"{here(lab)}/comparison", params={**asked, "picture": "cases-dsc", "as": "csv"}).text
    cases = site.get(f"/api/v1{here(lab)}/comparison", params=asked).json()["metrics"][0]["cases"]
    assert len(values.splitlines()) == 1 + sum(None not in row for row in cases)
    assert not re.search("sub-|case_[0-9a-f]", shown), "cases have no names here"


def test_what_is_not_there_is_said(site: httpx.Client, lab: Lab) -> None:
    assert "There is no task" in site.get(f"{here(lab)}/tasks/none").text
    sealed = site.get(f"/challenges/{lab.slug}/leaderboards/test/certainty")
    assert sealed.status_code == 403
    assert "sealed" in sealed.text
