"""What is said of teams on a board, who leads it, and who takes part no more."""

import csv
import io
from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from evaluator.spec import Challenge
from server.challenges.service import get_challenge, release
from server.database import unit_of_work
from server.evaluations import service
from server.events import Event
from tests.server.conftest import Person, Tus
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_bases import score_on
from tests.server.test_leaderboard import board, board_page, change, entries, page, scored

MakeEntrant = Callable[[str], Entrant]

OUTSIDE = "The value lies outside its interval: resampling shifts this metric."


def by_team(track: Json) -> dict[str, Json]:
    return {one["team"]: one for one in track["unified"]}


def firsts(track: Json) -> set[str]:
    """Who leads the unified leaderboard; a board of one task says the same."""
    found = {name for name, one in by_team(track).items() if one["first"]}
    assert found == {name for name, one in entries(track).items() if one["first"]}
    return found


def test_who_is_disqualified_leaves_the_ranking_and_may_come_back(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    teams = {name: entrant(name) for name in ("Cheats", "Second", "Third")}
    for value, one in zip((0.9, 0.8, 0.7), teams.values(), strict=True):
        scored(lab, one, value)
    address = f"/admin/teams/{teams['Cheats'].team}"
    why = "It answered with the labels of last year's test cases."
    assert admin.http.patch(address, json={"disqualified": why}).json()["disqualified"] == why
    track = board(nobody, lab)
    places = {name: one["placement"] for name, one in by_team(track).items()}
    assert places == {"Second": 1, "Third": 2, "Cheats": None}
    assert list(entries(track)) == list(by_team(track)) == ["Second", "Third", "Cheats"]
    cheats = entries(track)["Cheats"]
    assert (cheats["disqualified"], cheats["rank"], cheats["metrics"]["auroc"]["value"]) == (True, None, 0.9)
    assert firsts(track) == {"Second"}
    answer = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation.csv")
    rows = {row["team"]: row["unranked"] for row in csv.DictReader(io.StringIO(answer.text))}
    assert rows == {"Second": "", "Third": "", "Cheats": "disqualified"}
    for shown in (page(nobody, lab).text, answer.text, nobody.get(f"/challenges/{lab.slug}").text):
        assert why not in shown, "the reason is for the team"
    assert "disqualified" in page(nobody, lab).text
    assert admin.http.patch(address, json={"disqualified": None}).json()["disqualified"] is None
    assert firsts(board(nobody, lab)) == {"Cheats"}
    with unit_of_work(lab.sessions) as session:
        told = session.query(Event.why).filter_by(
            subject_id=UUID(teams["Cheats"].team), what="standing changed"
        )
        assert [why in str(one.why) for one in told.order_by(Event.id)] == [True, False]


def test_who_is_disqualified_can_neither_upload_nor_submit_and_is_told_why(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    address = f"/admin/teams/{team.team}"
    admin.http.patch(address, json={"disqualified": "Two accounts."})
    answer = team.post("task5", key="the same")
    assert (answer.status_code, answer.json()["code"]) == (403, "team_disqualified")
    assert "The Team is disqualified and cannot submit" in answer.json()["detail"]
    assert "Two accounts." in answer.json()["detail"]
    teams = admin.http.get("/admin/teams", params={"challenge": lab.slug}).json()["items"]
    assert [one["disqualified"] for one in teams if one["id"] == str(team.team)] == ["Two accounts."]
    admin.http.patch(address, json={"disqualified": "two accounts"})
    assert "reason: two accounts. What was scored" in team.post("task5", key="the same").json()["detail"]
    admin.http.patch(address, json={"disqualified": "Two accounts."})
    uploaded = Tus(team.http).create(lab.slug, b"an archive")
    assert (uploaded.status_code, uploaded.json()["code"]) == (403, "team_disqualified")
    assert team.http.get(f"/challenges/{lab.slug}/teams/mine").json()["disqualified"] == "Two accounts."
    admin.http.patch(address, json={"disqualified": None})
    assert team.post("task5", key="the same").status_code == 201


@pytest.mark.parametrize("why", ["", "   ", "x" * 501, "turned\u202earound"])
def test_a_disqualification_has_a_reason_that_can_be_read(admin: Person, team: Entrant, why: str) -> None:
    answer = admin.http.patch(f"/admin/teams/{team.team}", json={"disqualified": why})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "disqualified"


def test_a_tie_for_first_is_shown_whole_and_in_words(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client
) -> None:
    teams = {name: entrant(name) for name in ("Ada", "Bob", "Cyd")}
    for value, one in zip((0.9, 0.9, 0.7), teams.values(), strict=True):
        scored(lab, one, value)
    assert firsts(board(nobody, lab)) == {"Ada", "Bob"}
    for shown in (page(nobody, lab).text, board_page(nobody, lab)):
        assert shown.count("tied for first") == 2
    admin.http.patch(
        f"/admin/teams/{teams['Bob'].team}", json={"eligible": False, "disclaimer": "Organizers"}
    )
    assert firsts(board(nobody, lab)) == set()
    shown = page(nobody, lab).text
    assert "tied for first" not in shown
    assert "no prize" in shown
    assert "Organizers" in shown


@pytest.mark.parametrize("standing", [{"eligible": False}, {"baseline": True}, {"disqualified": "Copied."}])
def test_nobody_leads_who_may_not_win(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client, standing: Json
) -> None:
    scored(lab, team, 0.9)
    assert firsts(board(nobody, lab)) == {"The Team"}
    assert "Prize: what the place wins" in page(nobody, lab).text
    admin.http.patch(f"/admin/teams/{team.team}", json=standing)
    assert firsts(board(nobody, lab)) == set()
    shown = page(nobody, lab).text
    assert 'class="first' not in shown
    assert "Prize:" not in shown, "where nobody wins one, nothing is said of prizes"


def test_boards_that_nobody_has_count_for_nobody_and_prizes_are_named(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    for name, value in {"Ada": 0.9, "Bob": 0.8, "Cyd": 0.7, "Dan": 0.6}.items():
        scored(lab, entrant(name), value)
    unified = by_team(board(nobody, lab))
    assert [one["overall"] for one in unified.values()] == [1, 2, 3, 4], "six empty boards draw nobody closer"
    assert {
        rank for one in unified.values() for name, rank in one["board_ranks"].items() if name != "task5"
    } == {None}
    assert [one["prize"] for one in unified.values()] == ["500 USD", "300 USD", "200 USD", None]
    shown = page(nobody, lab).text
    assert "500 USD" in shown
    assert shown.count("No scored submission yet") == 1, "a line for all boards"
    assert "No scored submission yet" in page(nobody, lab, rest="?track=method").text


def test_a_board_says_when_on_what_and_how_many(lab: Lab, team: Entrant, nobody: httpx.Client) -> None:
    scored(lab, team, 0.9)
    whole = nobody.get(f"/challenges/{lab.slug}/leaderboards/validation").json()
    assert whole["open"] is True
    assert whole["opens"].startswith("2026-06-1")
    assert whole["closes"] is None
    (found,) = (one for one in board(nobody, lab)["boards"] if one["board"] == "task5")
    assert (found["cases"], len(found["entries"])) == (5, 1)
    assert found["last_scored"] == whole["last_scored"] == found["entries"][0]["scored_at"]
    assert found["last_scored"].endswith(":00Z"), "to the minute: an image decides how long it runs"
    assert "5 cases · 1 entry · last scored" in board_page(nobody, lab)
    assert '<span class="open">open</span>' in page(nobody, lab).text


def with_values(lab: Lab, evaluation: str, **changes: object) -> None:
    with unit_of_work(lab.sessions) as session:
        score = service.lock_evaluation(session, UUID(evaluation)).scores[0]
        for name, value in changes.items():
            setattr(score, name, value)


def test_a_value_outside_its_own_interval_never_stands_without_the_reason(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    inside, outside, told = entrant("Inside"), entrant("Outside"), entrant("Told")
    scored(lab, inside, 0.5)
    late = scored(lab, outside, 0.95)
    with_values(lab, late, note=OUTSIDE)
    with_values(lab, scored(lab, entrant("Rounded"), 0.5), value=0.9 + 1e-12)
    with_values(lab, scored(lab, told, 0.05), note="Chance differences between groups.")
    notes = {name: one["metrics"]["auroc"]["note"] for name, one in entries(board(nobody, lab)).items()}
    assert notes == {
        "Inside": None,
        "Rounded": None,
        "Outside": OUTSIDE,
        "Told": "Chance differences between groups.",
    }
    shown = board_page(nobody, lab)
    assert shown.count(OUTSIDE) == 1
    assert "<li>Chance differences between groups.</li>" in shown
    assert outside.evaluation(late)["scores"]["task5"]["auroc"]["note"] == OUTSIDE


def test_why_there_is_no_value_stands_below_the_board(
    lab: Lab, entrant: MakeEntrant, nobody: httpx.Client
) -> None:
    lab.dataset("task3")
    bob = entrant("Bob")
    score_on(lab, bob, "task3", 5.0)
    with_values(lab, scored(lab, bob, 0.5), value=None, low=None, high=None, reason="Constant answers.")
    scored(lab, entrant("Ada"), 0.5)
    auroc = entries(board(nobody, lab))["Bob"]["metrics"]["auroc"]
    assert (auroc["value"], auroc["rank"], auroc["reason"]) == (None, 2, "Constant answers.")
    assert "<li>Constant answers.</li>" in board_page(nobody, lab)


def test_a_board_that_was_opened_early_says_why(
    lab: Lab, team: Entrant, nobody: httpx.Client, fomo26: Challenge
) -> None:
    phases = dict(fomo26.phases)
    phases["test"] = phases["test"].model_copy(update={"opens": phases["sanity"].opens})
    change(lab, fomo26, phases=phases)
    with unit_of_work(lab.sessions) as session:
        release(session, get_challenge(session, lab.slug), "test", actor="tests", why="A talk <today>.")
    assert (
        nobody.get(f"/challenges/{lab.slug}/leaderboards/test").json()["released_early"] == "A talk <today>."
    )
    assert "Released before it was final: A talk &lt;today&gt;." in page(nobody, lab, "test").text
