"""Re-evaluations: what they make beside what counts, what anybody sees of it, and changing places all at once."""

from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from server.evaluations.models import Evaluation
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.reevaluating import Organizing, score_all, seen, tick
from tests.server.test_leaderboard import board, entries

VALUES = {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7}


@pytest.fixture
def teams(lab: Lab, entrant: Callable[[str], Entrant]) -> dict[str, Entrant]:
    """Three teams with a scored evaluation each; Cyd has one that was rejected, too."""
    found = {name: entrant(name) for name in VALUES}
    worker, by_team = lab.worker("run-1"), {UUID(team.team): VALUES[name] for name, team in found.items()}
    for team in found.values():
        team.submit()
    worker.drain()
    score_all(lab, lambda evaluation: by_team[evaluation.team_id])
    found["Cyd"].submit()
    worker.drain(fault="timeout")
    return found


@pytest.fixture
def organizing(lab: Lab, admin: Person) -> Organizing:
    return Organizing(lab, admin.http)


def ranks(nobody: httpx.Client, lab: Lab) -> dict[str, int]:
    return {name: entry["rank"] for name, entry in entries(board(nobody, lab)).items()}


def upside_down(teams: dict[str, Entrant]) -> Callable[[Evaluation], float]:
    worse = {UUID(team.team): 1 - VALUES[name] for name, team in teams.items()}
    return lambda evaluation: worse[evaluation.team_id]


def test_nothing_that_anybody_sees_moves_until_it_is_applied_and_the_way_back_brings_all_of_it_back(
    lab: Lab, teams: dict[str, Entrant], organizing: Organizing, nobody: httpx.Client, admin: Person
) -> None:
    before = seen(lab, teams, nobody, admin.http)
    drafted = organizing.draft(scope={"phases": ["validation"], "tasks": ["task5"]})
    assert (
        drafted["plan"]["sentence"]
        == "3 evaluations of 15 cases: no container runs; 1 of the scope are left out."
    )
    assert [one["reason"] for one in drafted["plan"]["excluded"]] == ["output_missing"]
    id_ = drafted["id"]
    assert organizing.do(id_, "start")["state"] == "running"
    assert seen(lab, teams, nobody, admin.http) == before
    assert organizing.do(id_, "apply", 409, digest="sha256:" + "0" * 64)["code"] == "not_ready"
    assert lab.worker().lease() is None, "no container runs"
    assert score_all(lab, upside_down(teams)) == 3
    tick(lab)
    assert organizing.get(id_)["state"] == "ready"
    assert seen(lab, teams, nobody, admin.http) == before
    beside = organizing.get(id_, "/preview")
    assert [(one["old"], one["new"], one["count"]) for one in beside["statuses"]] == [("scored", "scored", 3)]
    assert beside["verdicts"] == [{"old": "valid", "new": "valid", "count": 15}]
    (phase,) = beside["boards"]["phases"]
    (track,) = (track for track in phase["tracks"] if track["track"] == "open")
    moves = {one["team"]: (one["place_before"], one["place_after"], one["cause"]) for one in track["teams"]}
    assert moves == {"Cyd": (3, 1, "both"), "Bob": (2, 2, None), "Ada": (1, 3, "both")}
    assert {one["team"]: one["sentences"] for one in beside["told"]}["Ada"] == [
        "Your evaluation on task5, track open, phase validation, was made anew: a wrong label."
    ]
    pair = beside["pairs"][0]
    for http in (teams["Ada"].http, nobody):
        assert http.get(f"/evaluations/{pair['new']}").status_code in (401, 404)
    assert organizing.do(id_, "apply", 409, digest="sha256:" + "0" * 64)["code"] == "board_moved"
    assert seen(lab, teams, nobody, admin.http) == before
    assert organizing.apply(id_)["changed"] == 3
    assert ranks(nobody, lab) == {"Cyd": 1, "Bob": 2, "Ada": 3}
    assert teams["Ada"].evaluation(pair["old"])["id"] == pair["new"], "an old address leads to what counts"
    receipt = admin.http.get(f"/admin/evaluations/{pair['new']}/receipt").json()["statement"]
    assert (receipt["replaces"], receipt["reevaluation"]) == (pair["old"], id_)
    assert organizing.do(id_, "apply", 409, digest=beside["digest"])["code"] == "already_applied"
    assert organizing.do(id_, "revert", why="it was right")["changed"] == 3
    assert seen(lab, teams, nobody, admin.http) == before
    assert organizing.do(id_, "apply", 409, digest=beside["digest"])["code"] == "already_applied"
    assert organizing.do(id_, "revert", 409, why="again")["code"] == "not_applied"
