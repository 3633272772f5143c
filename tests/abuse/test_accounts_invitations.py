"""Invitations that are to let somebody in when nobody wants that any more."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import update

from server.database import SessionFactory, unit_of_work
from server.teams.invitations import OPEN_INVITATIONS
from server.teams.models import Invitation
from tests.server.conftest import Person

People = Callable[..., Person]


def invited(http: httpx.Client, team_id: str, **wanted: int) -> dict[str, str]:
    answer = http.post(f"/teams/{team_id}/invitations", json=wanted or None)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def accepted(somebody: Person, code: str) -> tuple[int, str]:
    answer = somebody.http.post(f"/invitations/{code}/accept")
    return answer.status_code, answer.json().get("code", "")


@pytest.fixture
def bob(captain: Person, person: People, team_id: str) -> Person:
    """Another member of the captain's team."""
    somebody = person("Bob")
    assert accepted(somebody, invited(captain.http, team_id)["code"]) == (200, "")
    return somebody


def test_an_invitation_is_taken_back(captain: Person, person: People, team_id: str) -> None:
    kept, taken = invited(captain.http, team_id), invited(captain.http, team_id)
    for _ in range(2):
        assert captain.http.delete(f"/teams/{team_id}/invitations/{taken['id']}").status_code == 204
    listed = captain.http.get(f"/teams/{team_id}/invitations").json()
    assert [(one["id"], one["made_by"]) for one in listed] == [(kept["id"], captain.id)]
    assert accepted(person("Eve"), taken["code"]) == (410, "invitation_over")
    assert accepted(person("Bob"), kept["code"]) == (200, "")


def test_only_the_captain_takes_one_back_and_only_of_the_own_team(
    captain: Person, stranger: Person, bob: Person, team_id: str
) -> None:
    made = invited(captain.http, team_id)
    path = f"/teams/{team_id}/invitations/{made['id']}"
    assert bob.http.delete(path).json()["code"] == "captain_only"
    assert stranger.http.delete(path).json()["code"] == "unknown_team"
    assert (
        captain.http.delete(f"/teams/{team_id}/invitations/{uuid4()}").json()["code"] == "unknown_invitation"
    )
    assert len(captain.http.get(f"/teams/{team_id}/invitations").json()) == 1


def test_a_captains_invitations_end_when_the_captain_leaves(
    captain: Person, bob: Person, person: People, team_id: str
) -> None:
    code = invited(captain.http, team_id)["code"]
    assert captain.http.delete(f"/teams/{team_id}/members/me").status_code == 204
    assert accepted(person("Eve"), code) == (410, "invitation_over")
    assert bob.http.get(f"/teams/{team_id}/invitations").json() == []
    assert accepted(person("Eve"), invited(bob.http, team_id)["code"]) == (200, "")


def test_a_captains_invitations_end_when_the_captain_is_taken_out(
    captain: Person, bob: Person, admin: Person, person: People, team_id: str
) -> None:
    theirs, ours = invited(captain.http, team_id), invited(admin.http, team_id)
    assert admin.http.delete(f"/teams/{team_id}/members/{captain.id}").status_code == 204
    assert accepted(person("Eve"), theirs["code"]) == (410, "invitation_over")
    assert accepted(captain, ours["code"]) == (200, "")


def test_an_invitation_of_unknown_make_ends_with_the_captain(
    captain: Person, bob: Person, person: People, team_id: str, sessions: SessionFactory
) -> None:
    made = invited(captain.http, team_id)
    with unit_of_work(sessions) as session:
        session.execute(update(Invitation).where(Invitation.id == UUID(made["id"])).values(made_by=None))
    assert captain.http.delete(f"/teams/{team_id}/members/me").status_code == 204
    assert accepted(person("Eve"), made["code"]) == (410, "invitation_over")


def test_one_lasts_a_week_or_as_long_as_asked_for_within_bounds(captain: Person, team_id: str) -> None:
    for wanted, days in (({}, 7), ({"expires_in_days": 1}, 1), ({"expires_in_days": 30}, 30)):
        made = invited(captain.http, team_id, **wanted)
        lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
        assert lasts == timedelta(days=days)
    for days in (0, 31, -1, 10**9):
        refused = captain.http.post(f"/teams/{team_id}/invitations", json={"expires_in_days": days})
        assert refused.status_code == 422


def test_open_ones_are_bounded_and_one_that_is_taken_back_makes_room(captain: Person, team_id: str) -> None:
    made = [invited(captain.http, team_id) for _ in range(OPEN_INVITATIONS)]
    refused = captain.http.post(f"/teams/{team_id}/invitations")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_invitations")
    assert captain.http.delete(f"/teams/{team_id}/invitations/{made[0]['id']}").status_code == 204
    invited(captain.http, team_id)


def test_many_at_once_stay_within_the_bound(captain: Person, team_id: str) -> None:
    answers: list[int] = []

    def invite() -> None:
        answers.extend(captain.http.post(f"/teams/{team_id}/invitations").status_code for _ in range(8))

    threads = [threading.Thread(target=invite) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(set(answers)) == [201, 409]
    assert answers.count(201) == OPEN_INVITATIONS


def test_nobody_comes_in_by_a_code_after_its_maker_has_left(
    captain: Person, bob: Person, person: People, team_id: str
) -> None:
    codes = [invited(captain.http, team_id)["code"] for _ in range(6)]
    people = [person(f"Eve {at}") for at in range(6)]
    results: list[tuple[int, str]] = []
    threads = [
        threading.Thread(target=lambda one=one, code=code: results.append(accepted(one, code)))
        for one, code in zip(people, codes, strict=True)
    ]
    for one in threads[:3]:
        one.start()
    assert captain.http.delete(f"/teams/{team_id}/members/me").status_code == 204
    for one in threads[3:]:
        one.start()
    for one in threads:
        one.join()
    assert set(results) <= {(200, ""), (410, "invitation_over")}
    assert results.count((410, "invitation_over")) >= 3
    inside = len(bob.http.get(f"/teams/{team_id}").json()["members"])
    assert inside == 1 + results.count((200, ""))
