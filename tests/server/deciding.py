"""What tests of organizers' decisions share: planning and doing them, and what everybody sees of it."""

from typing import Any

import httpx

from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.leaderboard.supposed import AS_IT_IS
from server.leaderboard.whatif import compare
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_leaderboard import board
from tests.server.test_shifts import of_teams
from tests.server.test_standing import by_team

WHY = "The labels of last year."


class Desk:
    """Plans and acts of an organizer."""

    def __init__(self, http: httpx.Client, slug: str) -> None:
        self.http, self.slug = http, slug

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/organize/{self.slug}/{path}", json={"why": WHY, **body})

    def plan(self, path: str, **body: Any) -> Json:
        answer = self.post(f"{path}/plan", **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def decide(self, team: Entrant, decision: str, **more: Any) -> httpx.Response:
        return self.post(f"teams/{team.team}/decisions", decision=decision, **more)

    def attempts(self, team: Entrant) -> Json:
        answer = self.http.get(f"/organize/{self.slug}/teams/{team.team}/attempts")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def places(http: httpx.Client, lab: Lab) -> dict[str, int | None]:
    return {name: one["placement"] for name, one in by_team(board(http, lab)).items()}


def kept(lab: Lab) -> dict[str, int | None]:
    """Places as the database has them: another process's server hears of a command's commit a moment later."""
    with unit_of_work(lab.sessions) as session:
        shifts = compare(session, get_challenge(session, lab.slug), AS_IT_IS)
    return {name: team.place_after for name, team in of_teams(shifts).items()}


def amended(nobody: httpx.Client, lab: Lab) -> list[str]:
    """What everybody reads, newest first."""
    found = nobody.get(f"/challenges/{lab.slug}/amendments").json()
    assert {one["why"] for one in found} <= {None}, "reasons are for those whom they concern"
    return [one["what"] for one in found]


def page_of(http: httpx.Client, lab: Lab) -> str:
    """The challenge's page."""
    return http.get(f"http://{http.base_url.netloc.decode()}/challenges/{lab.slug}").text


def refused(answer: httpx.Response, code: str) -> None:
    assert (answer.is_error, answer.json()["code"]) == (True, code), answer.text
