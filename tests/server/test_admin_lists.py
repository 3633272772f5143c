"""Lists for admins: people, teams, evaluations, page by page, and one evaluation with all of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_leaderboard import scored


def items(http: httpx.Client, what: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list, two items each."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        asked = {**params, "limit": 2, **({} if after is None else {"after": after})}
        answer = http.get(f"/admin/{what}", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= 2
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def test_everybody_is_on_one_page_once_with_their_teams(
    captain: Person, stranger: Person, person: Callable[..., Person], admin: Person, slug: str
) -> None:
    lonely = person("Zoë")
    found = {one["id"]: one for one in items(admin.http, "users")}
    ids = [one["id"] for one in items(admin.http, "users")]
    assert len(ids) == len(set(ids)) >= 4
    assert [(team["name"], team["challenge"], team["is_captain"]) for team in found[captain.id]["teams"]] == [
        ("The First", slug, True)
    ]
    assert found[stranger.id]["teams"][0]["name"] == "The Others"
    assert found[lonely.id]["teams"] == []
    assert found[admin.id]["is_admin"] is True
    assert found[captain.id]["last_seen"] >= found[captain.id]["last_log_in"]
    assert not any("password" in key or "hash" in key for one in found.values() for key in one)


def test_people_are_found_by_address_and_name(person: Callable[..., Person], admin: Person) -> None:
    one = person("Somebody %_ Odd")
    assert [found["id"] for found in items(admin.http, "users", find=one.email[:20].upper())] == [one.id]
    assert one.id in [found["id"] for found in items(admin.http, "users", find="body %_ odd")]
    assert items(admin.http, "users", find="body%odd") == []


def test_teams_show_members_standing_and_attempts(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    first, second = entrant("Blue Lab"), entrant("Red Lab")
    scored(lab, first, 0.9)
    second.submit()
    found = {one["name"]: one for one in items(admin.http, "teams", challenge=lab.slug)}
    blue, red = found["Blue Lab"], found["Red Lab"]
    assert (blue["submissions"], blue["spent"], blue["active"]) == (1, 1, 0)
    assert (red["submissions"], red["spent"], red["active"]) == (1, 0, 1)
    assert [member["is_captain"] for member in blue["members"]] == [True]
    assert blue["standing"] == "eligible"
    change = {"eligible": False, "disclaimer": "Member of an organizing institute"}
    assert admin.http.patch(f"/admin/teams/{blue['id']}", json=change).status_code == 200
    assert admin.http.patch(f"/admin/teams/{red['id']}", json={"baseline": True}).status_code == 200
    found = {one["name"]: one for one in items(admin.http, "teams", challenge=lab.slug)}
    assert (found["Blue Lab"]["standing"], found["Red Lab"]["standing"]) == ("no prize", "baseline")
    assert [one["name"] for one in items(admin.http, "teams", challenge=lab.slug, find="blue")] == [
        "Blue Lab"
    ]
    assert admin.http.get("/admin/teams", params={"challenge": "nope"}).status_code == 404


def test_evaluations_are_filtered_and_newest_first(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    blue, red = entrant("Blue Lab"), entrant("Red Lab")
    first, second = scored(lab, blue, 0.9), red.submit()
    third = blue.submit()

    def ids(**wanted: Any) -> list[str]:
        return [one["id"] for one in items(admin.http, "evaluations", challenge=lab.slug, **wanted)]

    assert ids() == [third, second, first]
    assert ids(team="BLUE lab") == [third, first]
    assert ids(status="scored") == [first]
    assert ids(task="task5", phase="validation", track="open") == [third, second, first]
    assert ids(task="task1") == []
    assert ids(id=second) == [second]
    row = items(admin.http, "evaluations", id=second)[0]
    assert [one["id"] for one in items(admin.http, "evaluations", id=row["submission"])] == [second]
    hour = timedelta(hours=1)
    assert ids(since=(datetime.now(UTC) - hour).isoformat()) == [third, second, first]
    assert ids(since=(datetime.now(UTC) + hour).isoformat()) == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"challenge": "nope"}, "unknown_challenge"),
        ({"phase": "of-no-challenge"}, "unknown_phase"),
        ({"team": "Nobody"}, "unknown_team"),
        ({"id": "xyz"}, "not_an_id"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    lab: Lab, admin: Person, wanted: dict[str, str], code: str
) -> None:
    refused = admin.http.get("/admin/evaluations", params=wanted)
    assert refused.json()["code"] == code
    assert refused.status_code in (400, 404)


@pytest.mark.parametrize("wanted", [{"limit": 0}, {"limit": 201}, {"after": "x"}, {"status": "done"}])
def test_pages_have_bounds(admin: Person, wanted: dict[str, Any]) -> None:
    refused = admin.http.get("/admin/evaluations", params=wanted)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"


def test_one_evaluation_is_shown_with_cases_by_pseudonym(lab: Lab, team: Entrant, admin: Person) -> None:
    evaluation = scored(lab, team, 0.75)
    shown = admin.http.get(f"/admin/evaluations/{evaluation}").json()
    assert (shown["team"], shown["task"], shown["status"]) == ("The Team", "task5", "scored")
    assert "@example.org" in shown["submitted_by"]
    assert shown["image"].startswith("sha256:")
    assert [score["value"] for score in shown["scores"]] == [0.75]
    assert shown["cases"]
    assert all(case["case"].startswith("case_") and case["name"] is None for case in shown["cases"])
    assert team.http.get(f"/admin/evaluations/{evaluation}").status_code == 403
