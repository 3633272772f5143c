"""What organizers decide about teams, attempts and entries: shown first, with a reason, and refused where it moved."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contract.organizers import Role
from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.evaluations.service import lock_evaluation
from server.events import Event
from server.organizers.models import ChallengeRole
from tests.server.conftest import Person
from tests.server.deciding import WHY, Desk, amended, kept, page_of, places, refused
from tests.server.lab import Entrant, Lab
from tests.server.organizer import Admin, words
from tests.server.test_leaderboard import board, change, entries, scored
from tests.server.test_standing import by_team

MakeEntrant = Callable[[str], Entrant]


@pytest.fixture
def organizer(lab: Lab, person: Callable[..., Person]) -> Person:
    """Somebody who organizes the lab's challenge and is no admin."""
    somebody = person("Olga")
    with unit_of_work(lab.sessions) as session:
        challenge = get_challenge(session, lab.slug)
        role = ChallengeRole(
            challenge_id=challenge.id, user_id=UUID(somebody.id), role=Role.ORGANIZER, named_by="tests"
        )
        session.add(role)
    return somebody


@pytest.fixture
def desk(organizer: Person, lab: Lab) -> Desk:
    return Desk(organizer.http, lab.slug)


def test_every_decision_is_shown_first_and_moves_boards_as_it_was_shown(
    lab: Lab, entrant: MakeEntrant, desk: Desk, organizer: Person, nobody: httpx.Client, person: Any
) -> None:
    teams = {name: entrant(name) for name in ("Ada", "Bob", "Cyd")}
    ada = teams["Ada"]
    for value, team in zip((0.9, 0.8, 0.7), teams.values(), strict=True):
        scored(lab, team, value)
    path = f"teams/{ada.team}/decisions"
    before = board(nobody, lab)
    plan = desk.plan(path, decision="disqualify")
    assert board(nobody, lab) == before, "a plan changes nothing"
    assert "Bob: 2 → 1 in track open" in " ".join(plan["shifts"]["sentences"])
    assert WHY.rstrip(".") in plan["told"][0]

    scored(lab, teams["Cyd"], 0.85)
    refused(desk.decide(ada, "disqualify", seen=plan["shifts"]["digest"]), "board_moved")
    assert places(nobody, lab)["Ada"] == 1, "nothing was changed"
    seen_plan = desk.plan(path, decision="disqualify")
    seen = seen_plan["shifts"]["digest"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.decide(ada, "disqualify", seen=seen).status_code, range(8)))
    assert sorted(answers) == [200, *[409] * 7], "once"
    assert places(nobody, lab) == {"Cyd": 1, "Bob": 2, "Ada": None}
    refused(ada.post("task5"), "team_disqualified")
    refused(desk.decide(ada, "disqualify"), "unchanged")
    assert desk.decide(ada, "reinstate").json()["disqualified"] is None

    assert desk.decide(ada, "hide").json()["hidden"] is True
    hidden = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation").text
    assert "Ada" not in hidden
    assert places(nobody, lab) == {"Cyd": 1, "Bob": 2}
    assert "Ada: no place → 1" in " ".join(desk.plan(path, decision="show")["shifts"]["sentences"])
    desk.decide(ada, "show")
    shown = desk.decide(ada, "ineligible", disclaimer="Members of an organizing institute").json()
    assert (shown["eligible"], shown["disclaimer"]) == (False, "Members of an organizing institute")
    assert by_team(board(nobody, lab))["Cyd"]["prize"] == "500 USD"
    assert desk.decide(ada, "eligible").json()["disclaimer"] is None
    desk.decide(ada, "baseline")
    assert places(nobody, lab)["Ada"] is None
    desk.decide(ada, "entrant")
    refused(desk.decide(ada, "rename"), "bad_team_name")
    refused(desk.decide(ada, "rename", name="bob"), "team_name_taken")
    assert desk.decide(ada, "rename", name="Ada Lovelace").json()["name"] == "Ada Lovelace"
    assert places(nobody, lab) == {"Ada Lovelace": 1, "Cyd": 2, "Bob": 3}

    told = amended(nobody, lab)
    assert len(told) == 8, "each that moved a board, and no renaming"
    assert told[-1] == "Validation: a team was disqualified; its values are shown without a place"
    assert f"Everybody reads: {told[-1]}." in seen_plan["sentences"]
    assert "Ada" not in " ".join(told)

    with unit_of_work(lab.sessions) as session:
        rows = session.query(Event).filter_by(subject_id=UUID(ada.team), actor=f"user:{organizer.id}").all()
        said = [row.what for row in sorted(rows, key=lambda row: row.id)]
        assert said[:3] == ["disqualified", "reinstated", "hidden"]
        assert {row.why for row in rows} == {WHY}
    for stranger in (ada.http, person().http):
        refused(Desk(stranger, lab.slug).decide(ada, "hide"), "organizers_only")
        refused(Desk(stranger, lab.slug).post(f"{path}/plan", decision="hide"), "organizers_only")


def test_two_teams_become_one_and_win_no_attempt_by_it(
    lab: Lab, entrant: MakeEntrant, desk: Desk, nobody: httpx.Client, admin: Person
) -> None:
    small, large = entrant("Small"), entrant("Large")
    for team, value in ((small, 0.9), (small, 0.6), (large, 0.8)):
        scored(lab, team, value)
    for other in ({}, {"into": small.team}):
        refused(desk.decide(small, "merge", **other), "merge_undecided")
    refused(desk.decide(small, "merge", into=large.team), "merge_undecided")
    desk.decide(small, "ineligible")
    refused(desk.decide(small, "merge", into=large.team, counts="into"), "standing_differs")
    desk.decide(small, "eligible")
    going = large.submit()
    refused(desk.decide(small, "merge", into=large.team, counts="into"), "not_ended")
    assert large.http.post(f"/evaluations/{going}/cancel").status_code == 200

    path = f"teams/{small.team}/decisions"
    plan = desk.plan(path, decision="merge", into=large.team, counts="into")
    assert "2 of Small are taken off" in " ".join(plan["sentences"])
    key = uuid4().hex
    assert [team.post("task5", key=key).status_code for team in (small, large)] == [201, 201]
    with unit_of_work(lab.sessions) as session:
        for one in (small, large):
            found = one.http.get(f"/challenges/{lab.slug}/submissions").json()[0]["evaluations"][0]["id"]
            lock_evaluation(session, UUID(found)).move_to(session, EvaluationStatus.CANCELLED, actor="tests")
    assert desk.decide(small, "merge", into=large.team, counts="into").json()["name"] == "Large"
    assert places(nobody, lab) == {"Large": 1}
    assert entries(board(nobody, lab))["Large"]["metrics"]["auroc"]["value"] == 0.8
    mine = small.http.get(f"/challenges/{lab.slug}/teams/mine").json()
    assert (mine["id"], sum(one["is_captain"] for one in mine["members"]), len(mine["members"])) == (
        large.team,
        1,
        2,
    )
    row = large.quota()
    assert (row["valid"], row["spent"], row["left"]) == (1, 1, 0), (
        "three entries of the two have spent 3 of 3"
    )
    assert amended(nobody, lab)[0] == "Validation: what two teams had is one team's"
    assert len(small.http.get(f"/challenges/{lab.slug}/submissions").json()) == 6
    assert small.http.get(f"/teams/{large.team}/images").json()[0]["digest"] in (small.image, large.image)
    refused(desk.decide(small, "hide"), "team_merged")
    refused(admin.http.patch(f"/admin/teams/{small.team}", json={"name": "Free again"}), "team_merged")
    (left,) = (
        team
        for team in admin.http.get("/admin/teams", params={"challenge": lab.slug}).json()["items"]
        if team["id"] == small.team
    )
    assert (left["standing"], left["members"]) == ("merged", [])


def test_an_entry_is_taken_off_and_an_attempt_granted_with_the_reason_for_its_team(
    lab: Lab, team: Entrant, entrant: MakeEntrant, desk: Desk, nobody: httpx.Client
) -> None:
    other = entrant("Other")
    scored(lab, other, 0.8)
    first, last = scored(lab, team, 0.7), scored(lab, team, 0.9)
    path = f"evaluations/{last}/void"
    plan = desk.plan(path)
    assert "Other: 2 → 1 in track open" in " ".join(plan["shifts"]["sentences"])
    assert "Its attempt is given back: 1 of 3 are spent then." in plan["sentences"]
    assert desk.post(path, seen=plan["shifts"]["digest"]).status_code == 200
    assert places(nobody, lab) == {"Other": 1, "The Team": 2}
    assert entries(board(nobody, lab))["The Team"]["metrics"]["auroc"]["value"] == 0.7
    told = team.evaluation(last)
    assert (told["voided"], told["status"], WHY in told["note"]) == (WHY, "scored", True)
    assert (team.quota()["spent"], team.quota()["left"]) == (1, 2)
    refused(desk.post(path), "unchanged")
    assert amended(nobody, lab) == ["Validation: task5: an evaluation was taken off the leaderboard"]
    refused(desk.post(f"evaluations/{first}/unvoid"), "unchanged")
    refused(desk.post(f"evaluations/{uuid4()}/void"), "unknown_evaluation")

    grants = f"teams/{team.team}/grants"
    wanted = {"phase": "validation", "track": "open", "task": "task5", "valid": 2}
    plan = desk.plan(grants, **wanted)
    assert "5 valid attempts instead of 3" in plan["sentences"][0]
    sent = wanted | {"seen": plan["shifts"]["digest"]}
    assert desk.post(grants, **sent).status_code == 201
    refused(desk.post(grants, **sent), "board_moved")
    row = team.quota()
    assert (row["valid"], row["left"], row["grants"][0]["why"]) == (5, 4, WHY)
    assert other.quota()["grants"] == []
    refused(desk.post(grants, **wanted | {"valid": 0}), "unchanged")
    refused(desk.post(grants, **wanted | {"phase": "sanity"}), "unchanged")
    refused(desk.post(grants, **wanted | {"task": "task9"}), "unknown_task")

    going = team.submit()
    ledger = desk.attempts(team)
    assert [(one["evaluation"], one["attempt"]) for one in ledger["entries"]] == [
        (going, "held"),
        (last, "given back"),
        (first, "spent"),
    ]
    assert WHY in ledger["entries"][1]["because"]
    assert ledger["grants"][0]["valid"] == 2
    assert desk.post(f"evaluations/{last}/unvoid").json()["voided"] is None
    assert places(nobody, lab)["The Team"] == 1
    assert amended(nobody, lab)[0] == "Validation: task5: an evaluation is again on the leaderboard"
    refused(desk.post(f"evaluations/{going}/void"), "not_scored")
    assert desk.post(f"evaluations/{first}/void").status_code == 200
    assert len(amended(nobody, lab)) == 2, "a later one counts, and nobody saw this one any more"


def test_of_what_is_sealed_or_came_after_a_freeze_everybody_reads_nothing(
    lab: Lab, entrant: MakeEntrant, desk: Desk, nobody: httpx.Client, fomo26: Challenge
) -> None:
    ada, bob = entrant("Ada"), entrant("Bob")
    scored(lab, ada, 0.9)
    phase = fomo26.phases["validation"]
    frozen = datetime.now(UTC)
    change(lab, fomo26, phases=fomo26.phases | {"validation": phase.model_copy(update={"freezes": frozen})})
    late = scored(lab, bob, 0.8)
    assert desk.post(f"evaluations/{late}/void").status_code == 200
    assert desk.decide(bob, "disqualify").status_code == 200
    assert amended(nobody, lab) == []
    assert desk.decide(ada, "ineligible").status_code == 200
    assert amended(nobody, lab) == ["Validation: a team keeps its place and can win no prize any more"]
    sealed = phase.model_copy(update={"board": "sealed"})
    change(lab, fomo26, phases=fomo26.phases | {"validation": sealed})
    assert desk.decide(ada, "disqualify").status_code == 200
    assert len(amended(nobody, lab)) == 1


def test_registration_and_the_size_of_teams_are_the_challenge_files(
    lab: Lab, team: Entrant, desk: Desk, person: Callable[..., Person], fomo26: Challenge
) -> None:
    teams = type(fomo26.teams)
    assert fomo26.digest == fomo26.model_copy(update={"teams": teams()}).digest
    change(lab, fomo26, teams=teams(registration="closed"))
    late = person("Late")
    address = f"/challenges/{lab.slug}/teams"
    refused(late.http.post(address, json={"name": "Late"}), "registration_closed")
    change(lab, fomo26, teams=teams(registration="approval", most_members=2))
    shown = " ".join(page_of(late.http, lab).split())
    assert "once the organizers have approved it. A team has at most 2 members." in shown
    waiting = lab.entrant(late.http, "Late")
    assert late.http.get(f"{address}/mine").json()["waits"] is True
    refused(waiting.post("task5"), "team_waits")
    assert team.post("task5").status_code == 201, "who was there before takes part"
    assert desk.decide(waiting, "approve").json()["waits"] is False
    assert waiting.post("task5").status_code == 201
    codes = [late.http.post(f"/teams/{waiting.team}/invitations").json()["code"] for _ in range(2)]
    joined = [person().http.post(f"/invitations/{code}/accept") for code in codes]
    assert joined[0].status_code == 200, joined[0].text
    refused(joined[1], "team_full")
    assert "at most 2 members" in joined[1].json()["detail"]
    refused(desk.decide(team, "merge", into=waiting.team), "team_full")


def test_commands_show_ask_and_decide(lab: Lab, team: Entrant, entrant: MakeEntrant, command: Admin) -> None:
    scored(lab, team, 0.9)
    evaluation = scored(lab, entrant("Other"), 0.8)
    asked = command("decide", lab.slug, "the team", "disqualify", "--why", WHY)
    assert asked.exit_code == 1
    for said in ("The Team", "1 → –", "2 → 1", "its own standing", "Its members read", "Give --yes"):
        assert said in words(asked), asked.output
    assert kept(lab)["The Team"] == 1
    done = command("decide", lab.slug, "The Team", "disqualify", "--why", WHY, "--yes")
    assert done.exit_code == 0, done.output
    assert kept(lab)["The Team"] is None
    again = command("decide", lab.slug, "The Team", "disqualify", "--why", WHY, "--yes")
    assert (again.exit_code, "already" in words(again)) == (1, True)
    assert "has no team" in words(command("decide", lab.slug, "Nobody", "hide", "--why", WHY, "--yes"))

    assert command("void", lab.slug, evaluation[:18], "--why", WHY, "--yes").exit_code == 0
    where = ("--phase", "validation", "--task", "task5", "--track", "open")
    granted = command("grant-attempts", lab.slug, "Other", *where, "--valid", "1", "--why", WHY, "--yes")
    assert granted.exit_code == 0, granted.output
    shown = words(command("attempts", lab.slug, "Other"))
    for said in ("given back", WHY.rstrip("."), "+1"):
        assert said in shown
    told = json.loads(command("attempts", lab.slug, "Other", "--json").stdout)
    assert told["grants"][0]["granted_by"] == "proctor-admin"
    assert command("unvoid", lab.slug, evaluation, "--why", WHY, "--yes").exit_code == 0
    assert kept(lab)["Other"] == 1
