"""Teams, invitations, and what one team sees of another, over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, update

from server.database import SessionFactory, unit_of_work
from server.events import Event
from server.teams.models import Invitation
from tests.server.conftest import Person

People = Callable[..., Person]


def _code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["code"])


def _invite(captain: Person, team_id: str) -> str:
    answer = captain.http.post(f"/teams/{team_id}/invitations")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def test_the_founder_is_the_captain(captain: Person, slug: str, team_id: str) -> None:
    mine = captain.http.get(f"/challenges/{slug}/teams/mine").json()
    assert mine["members"] == [{"user_id": captain.id, "name": "Ada", "is_captain": True}]
    assert (mine["eligible"], mine["is_baseline"], mine["disclaimer"]) == (True, False, None)
    assert captain.http.get(f"/teams/{team_id}").json() == mine


def test_one_team_per_person_and_challenge(captain: Person, slug: str) -> None:
    assert (
        _code(captain.http.post(f"/challenges/{slug}/teams", json={"name": "Second"}), 409)
        == "already_in_a_team"
    )


@pytest.mark.parametrize("name", ["the first", "  The   FIRST ", "Ｔhe First"])
def test_a_name_is_taken_however_it_is_written(captain: Person, person: People, slug: str, name: str) -> None:
    assert (
        _code(person().http.post(f"/challenges/{slug}/teams", json={"name": name}), 409) == "team_name_taken"
    )


@pytest.mark.parametrize(
    "name", ["", "x", "=1+1", "a" * 41, "tab\x00", "<b>bold</b>", "-dash", "right\u202eleft"]
)
def test_names_that_would_mislead_are_refused(person: People, slug: str, name: str) -> None:
    assert _code(person().http.post(f"/challenges/{slug}/teams", json={"name": name}), 422) == "bad_team_name"


@pytest.mark.parametrize("name", ["AI", "Équipe Zürich", "東京大学", "हिन्दी", "team-1 (MIT) & co."])
def test_names_of_the_world_are_welcome(person: People, slug: str, name: str) -> None:
    answer = person().http.post(f"/challenges/{slug}/teams", json={"name": name})
    assert (answer.status_code, answer.json()["name"]) == (201, name)


def test_an_unknown_challenge_is_not_found(captain: Person) -> None:
    assert (
        _code(captain.http.post("/challenges/nonsense/teams", json={"name": "Us"}), 404)
        == "unknown_challenge"
    )


def test_without_a_team_one_is_told_what_to_do(person: People, slug: str) -> None:
    answer = person().http.get(f"/challenges/{slug}/teams/mine")
    assert _code(answer, 404) == "no_team"
    assert "accept an invitation" in answer.json()["detail"]


def test_an_invitation_lets_one_person_in(captain: Person, person: People, team_id: str, slug: str) -> None:
    code = _invite(captain, team_id)
    (listed,) = captain.http.get(f"/teams/{team_id}/invitations").json()
    assert code not in str(listed)
    bob, eve = person("Bob"), person("Eve")
    joined = bob.http.post(f"/invitations/{code}/accept")
    assert [one["name"] for one in joined.json()["members"]] == ["Ada", "Bob"]
    assert _code(eve.http.post(f"/invitations/{code}/accept"), 410) == "invitation_over"
    assert captain.http.get(f"/teams/{team_id}/invitations").json() == []
    assert bob.http.get(f"/challenges/{slug}/teams/mine").json()["id"] == team_id


def test_an_invitation_runs_out(
    captain: Person, person: People, team_id: str, sessions: SessionFactory
) -> None:
    code = _invite(captain, team_id)
    with unit_of_work(sessions) as session:
        late = func.now() - timedelta(seconds=1)
        session.execute(update(Invitation).where(Invitation.team_id == UUID(team_id)).values(expires_at=late))
    assert _code(person().http.post(f"/invitations/{code}/accept"), 410) == "invitation_over"


def test_an_invitation_is_not_spent_on_somebody_who_has_a_team(
    captain: Person, stranger: Person, person: People, team_id: str
) -> None:
    code = _invite(captain, team_id)
    assert _code(stranger.http.post(f"/invitations/{code}/accept"), 409) == "already_in_a_team"
    assert person().http.post(f"/invitations/{code}/accept").status_code == 200


def test_a_wrong_code_is_not_found(person: People) -> None:
    assert _code(person().http.post("/invitations/guess/accept"), 404) == "unknown_invitation"


def test_only_the_captain_invites_and_removes(captain: Person, person: People, team_id: str) -> None:
    bob = person("Bob")
    bob.http.post(f"/invitations/{_invite(captain, team_id)}/accept")
    assert _code(bob.http.post(f"/teams/{team_id}/invitations"), 403) == "captain_only"
    assert _code(bob.http.delete(f"/teams/{team_id}/members/{captain.id}"), 403) == "captain_only"
    assert captain.http.delete(f"/teams/{team_id}/members/{bob.id}").status_code == 204
    assert _code(bob.http.get(f"/teams/{team_id}"), 404) == "unknown_team"


def test_a_captain_who_leaves_hands_over_and_the_last_one_stays(
    captain: Person, person: People, team_id: str
) -> None:
    assert _code(captain.http.delete(f"/teams/{team_id}/members/me"), 409) == "last_member"
    bob = person("Bob")
    bob.http.post(f"/invitations/{_invite(captain, team_id)}/accept")
    assert captain.http.delete(f"/teams/{team_id}/members/me").status_code == 204
    assert [
        (one["name"], one["is_captain"]) for one in bob.http.get(f"/teams/{team_id}").json()["members"]
    ] == [("Bob", True)]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/invitations"),
        ("POST", "/invitations"),
        ("GET", "/images"),
        ("GET", "/uploads"),
        ("DELETE", "/members/me"),
    ],
)
def test_another_team_looks_like_no_team(
    captain: Person, stranger: Person, team_id: str, method: str, path: str
) -> None:
    theirs = stranger.http.request(method, f"/teams/{team_id}{path}")
    nothing = stranger.http.request(method, f"/teams/{uuid4()}{path}")
    assert _code(theirs, 404) == "unknown_team"
    same = {"instance": "the id of the request"}
    assert theirs.json() | same == nothing.json() | same


def test_an_admin_decides_about_eligibility(
    admin: Person, captain: Person, team_id: str, sessions: SessionFactory
) -> None:
    body = {"eligible": False, "disclaimer": "member of the organizing institute", "baseline": True}
    assert _code(captain.http.patch(f"/admin/teams/{team_id}", json=body), 403) == "organizers_only"
    changed = admin.http.patch(f"/admin/teams/{team_id}", json=body).json()
    assert (changed["eligible"], changed["disclaimer"], changed["is_baseline"]) == (
        False,
        body["disclaimer"],
        True,
    )
    again = admin.http.patch(f"/admin/teams/{team_id}", json={"disclaimer": None}).json()
    assert (again["eligible"], again["disclaimer"], again["is_baseline"]) == (False, None, True)
    with sessions() as session:
        told = session.scalars(
            select(Event.actor).where(Event.subject_id == UUID(team_id), Event.what == "standing changed")
        ).all()
    assert told == [f"user:{admin.id}"] * 2
