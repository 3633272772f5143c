"""A challenge on one screen: what needs its organizers, in which order, and how the season goes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from evaluator.spec import Challenge
from server.challenges.models import Challenge as Row
from server.challenges.service import apply, get_challenge
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.result_models import Receipt
from server.questions.models import Question
from server.teams.models import Team
from tests.abuse.boards import watched
from tests.server.conftest import Admin, Person
from tests.server.lab import Entrant, Json, Lab
from tests.server.test_leaderboard import scored


def overview(admin: Person, lab: Lab, **params: int) -> Json:
    answer = admin.http.get(f"/organize/{lab.slug}/overview", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(found: Json) -> list[str]:
    return [need["code"] for need in found["attention"]]


def need(found: Json, code: str) -> Json:
    return next(dict(one) for one in found["attention"] if one["code"] == code)


def ended(lab: Lab, evaluation: str, status: str, reason: str | None = None) -> None:
    with unit_of_work(lab.sessions) as session:
        values = {"status": status, "reason_code": reason, "remaining": 0}
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(values))


def with_dates(
    lab: Lab, spec: Challenge, phase: str, opens: timedelta, closes: timedelta, **more: str
) -> None:
    at = datetime.now(UTC)
    dated = spec.phases[phase].model_copy(update={"opens": at + opens, "closes": at + closes, **more})
    changed = {"challenge": lab.slug, "phases": {**spec.phases, phase: dated}}
    with unit_of_work(lab.sessions) as session:
        apply(session, spec.model_copy(update=changed), actor="tests")


def test_what_the_platform_failed_at_is_first_and_leads_to_where_it_is_mended(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    lab.dataset("task5", cases=1)
    ended(lab, team.submit(), "errored")
    found = overview(admin, lab)
    one = need(found, "errored")
    assert one["urgency"] == "now"
    assert one["sentence"] == "1 evaluation of 1 team ended by a fault of the platform."
    assert one["page"] == f"/organize/{lab.slug}/submissions?status=errored"
    order = [one["urgency"] for one in found["attention"]]
    assert order == sorted(order, key=["now", "soon", "know"].index)


def test_what_waits_for_a_worker_that_is_not_there_stands_still(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    lab.dataset("task5", cases=1)
    team.submit()
    found = overview(admin, lab)
    assert "1 evaluation stands still. Waits: no worker" in need(found, "standstill")["sentence"]
    validation = next(phase for phase in found["phases"] if phase["name"] == "validation")
    assert (validation["evaluations"], validation["cases"], found["under_way"]) == (1, 1, 1)


def test_people_who_wait_are_named(lab: Lab, team: Entrant, admin: Person) -> None:
    team.http.post(f"/challenges/{lab.slug}/questions", json={"text": "May we use other data?"})
    assert need(overview(admin, lab), "questions")["urgency"] == "soon"
    with unit_of_work(lab.sessions) as session:
        earlier = {"created_at": datetime.now(UTC) - timedelta(days=3)}
        session.execute(update(Question).where(Question.team_id == UUID(team.team)).values(earlier))
        session.execute(update(Team).where(Team.id == UUID(team.team)).values(waits=True))
    found = overview(admin, lab)
    assert need(found, "questions")["urgency"] == "now"
    assert (found["teams"], found["teams_waiting"], found["questions_open"]) == (1, 1, 1)
    waits = need(found, "approval")
    assert waits["page"] == f"/organize/{lab.slug}/teams/{team.team}"


def test_phases_and_boards_that_are_due(lab: Lab, admin: Person, fomo26: Challenge) -> None:
    day = timedelta(days=1)
    with_dates(lab, fomo26, "validation", -10 * day, 3 * day)
    assert "closes" in codes(overview(admin, lab))
    with_dates(lab, fomo26, "validation", -10 * day, 30 * day)
    assert "closes" not in codes(overview(admin, lab))
    with_dates(lab, fomo26, "test", -10 * day, -day)
    assert need(overview(admin, lab), "release")["page"] == f"/organize/{lab.slug}/phases/test"
    with unit_of_work(lab.sessions) as session:
        row: Row = get_challenge(session, lab.slug)
        row.released = [*row.released, "test"]
    assert "release" not in codes(overview(admin, lab))


def test_a_score_without_a_receipt_is_missed(lab: Lab, team: Entrant, admin: Person) -> None:
    lab.dataset("task5", cases=1)
    evaluation = scored(lab, team, 0.5)
    before = overview(admin, lab)
    with unit_of_work(lab.sessions) as session:
        session.execute(delete(Receipt).where(Receipt.evaluation_id == UUID(evaluation)))
    assert "receipts" in codes(overview(admin, lab))
    assert before["scored"] == 1


def test_outcomes_are_counted_by_day_and_teams_without_a_score_are_named(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    lab.dataset("task5", cases=1)
    lucky, unlucky = entrant("Lucky"), entrant("Unlucky")
    scored(lab, lucky, 0.5)
    for code in ("timeout", "timeout", "crash"):
        ended(lab, unlucky.submit(), "rejected", code)
    found = overview(admin, lab, days=3)
    assert len(found["days"]) == 3
    assert found["days"][-1] | {"day": ""} == {
        "day": "",
        "scored": 1,
        "rejected": 3,
        "errored": 0,
        "cancelled": 0,
        "under_way": 0,
    }
    (tried,) = found["never_scored"]
    assert (tried["team"], tried["rejected"], tried["reason"]) == ("Unlucky", 3, "timeout")


def test_what_is_left_of_attempts_agrees_with_each_team_s_quota(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person
) -> None:
    lab.dataset("task5", cases=1)
    teams = [entrant("One"), entrant("Two")]
    for team in teams:
        scored(lab, team, 0.5)
    teams[0].submit()
    (use,) = [one for one in overview(admin, lab)["attempts"] if one["phase"] == "validation"]
    quotas = [team.quota() for team in teams]
    assert (use["teams"], use["spent"], use["held"]) == (2, 2, 1)
    assert use["left"] == sum(quota["left"] for quota in quotas)


@pytest.mark.parametrize("count", [1, 6])
def test_it_takes_a_bounded_number_of_statements(
    lab: Lab, entrant: Callable[[str], Entrant], admin: Person, count: int
) -> None:
    lab.dataset("task5", cases=1)
    for number in range(count):
        team = entrant(f"Team {number}")
        scored(lab, team, 0.5)
        team.submit()
        ended(lab, team.submit(), "errored")
    admin.http.get("/me")  # notes that the token is used, which is no statement of the overview
    with watched(lab.sessions) as asked:
        overview(admin, lab)
    # That the token was used is noted aside, at any moment, and is no statement of the overview.
    own = [said for said in asked.said if not said.startswith("UPDATE api_tokens")]
    assert len(own) <= 25, len(own)


def test_who_has_no_role_sees_nothing_of_it(lab: Lab, team: Entrant) -> None:
    answer = team.http.get(f"/organize/{lab.slug}/overview")
    assert answer.json()["code"] == "organizers_only"


def test_the_command_says_the_same(lab: Lab, team: Entrant, command: Admin) -> None:
    lab.dataset("task5", cases=1)
    ended(lab, team.submit(), "errored")
    said = command("overview", lab.slug)
    assert said.exit_code == 0, said.output
    assert "ended by a fault of the platform" in " ".join(said.output.split())
    assert "never scored" in said.output


def test_an_organizer_calls_an_evaluation_off_and_its_team_reads_why_and_pays_nothing(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    lab.dataset("task5", cases=2)
    evaluation = team.submit()
    lab.worker().take()
    path = f"/admin/evaluations/{evaluation}/cancel"
    assert team.http.post(path, json={"why": "Ours"}).json()["code"] == "organizers_only"
    assert admin.http.post(path, json={}).status_code == 422
    assert admin.http.post(path, json={"why": "The image runs for days."}).status_code == 204
    found = team.evaluation(evaluation)
    assert found["status"] == "cancelled"
    assert found["reason"] == "The organizers cancelled it: The image runs for days."
    quota = team.quota()
    assert (quota["spent"], quota["reserved"], quota["rejected"]) == (0, 0, 0)
    assert admin.http.post(path, json={"why": "Again"}).json()["code"] == "already_ended"
