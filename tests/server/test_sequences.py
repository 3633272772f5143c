"""What holds after several things in a row: cases that change, faults, retries, a file that lost a phase, a release."""

from collections.abc import Callable
from uuid import UUID

import httpx

from evaluator.spec import Challenge
from evaluator.verdicts import PlatformFault
from server.challenges.service import get_challenge
from server.database import unit_of_work
from server.datasets.models import Dataset
from server.evaluations.errors import parked_sentence
from server.evaluations.models import Evaluation
from server.leaderboard.bases import stale
from server.leaderboard.release import obstacles
from server.queue import forecast
from server.versions import service as versions
from server.versions.effects import effect_of
from tests.server.conftest import Person
from tests.server.lab import Entrant, Lab
from tests.server.test_faults import BROKEN
from tests.server.test_leaderboard import board, change, entries, scored
from tests.server.test_plans_http import text_of
from tests.server.test_retry import end, put_back
from tests.server.test_scoring_faults import fail, in_scoring

MakeEntrant = Callable[[str], Entrant]


def dataset_of(lab: Lab, evaluation: str) -> UUID:
    with unit_of_work(lab.sessions) as session:
        return session.get_one(Evaluation, UUID(evaluation)).dataset_id


def bring_back(lab: Lab, dataset: UUID) -> None:
    """Brings an earlier version of the cases into force again."""
    with unit_of_work(lab.sessions) as session:
        versions.activate(session, session.get_one(Dataset, dataset), settings=lab.settings, actor="tests")


def what_keeps_it(lab: Lab, phase: str = "validation") -> list[str]:
    """What keeps the phase's board from being final, but that it is open."""
    with unit_of_work(lab.sessions) as session:
        found = obstacles(session, get_challenge(session, lab.slug), phase)
    return [said for check, sentences in found.items() if check != "closed" for said in sentences]


def of_team(admin: Person, lab: Lab) -> tuple[int, int]:
    """Attempts spent and held as the admins' list of teams says it of the challenge's only team."""
    (row,) = admin.http.get("/admin/teams", params={"challenge": lab.slug}).json()["items"]
    return row["spent"], row["active"]


def without_validation(spec: Challenge) -> dict[str, object]:
    return {"phases": {name: one for name, one in spec.phases.items() if name != "validation"}}


def test_what_was_submitted_to_a_phase_that_vanished_is_still_shown_to_its_team(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge
) -> None:
    evaluation = team.submit()
    end(lab, evaluation)
    waiting = team.submit()
    change(lab, fomo26, **without_validation(fomo26))
    assert team.evaluation(evaluation)["status"] == "errored"
    listed = team.http.get(f"/challenges/{lab.slug}/submissions")
    assert (listed.status_code, len(listed.json())) == (200, 2), listed.text
    assert put_back(admin, evaluation) == 204
    assert lab.worker().drain() == 10
    assert {team.evaluation(one)["status"] for one in (evaluation, waiting)} == {"scoring"}
    assert admin.http.get("/admin/errors", params={"challenge": lab.slug}).status_code == 200
    with unit_of_work(lab.sessions) as session:
        forecast.forecast(session)


def test_scores_of_a_phase_that_vanished_while_it_was_sealed_stay_sealed(
    lab: Lab, team: Entrant, fomo26: Challenge
) -> None:
    sealed = {
        **fomo26.phases,
        "validation": fomo26.phases["validation"].model_copy(update={"board": "sealed"}),
    }
    change(lab, fomo26, phases=sealed)
    evaluation = scored(lab, team, 0.9)
    assert team.evaluation(evaluation)["scores"] == {}
    change(lab, fomo26, **without_validation(fomo26))
    assert team.evaluation(evaluation)["scores"] == {}


def test_an_evaluation_is_retried_on_its_own_cases_after_they_were_superseded(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client
) -> None:
    evaluation = team.submit()
    first = dataset_of(lab, evaluation)
    end(lab, evaluation)
    lab.dataset(cases=7)
    with unit_of_work(lab.sessions) as session:
        assert session.get_one(Dataset, first) not in versions.unused(session, None)
    assert put_back(admin, evaluation) == 204
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["cases"]) == ("queued", 5)
    assert "earlier version of the cases" in seen["note"]
    assert lab.worker().drain() == 5
    assert team.quota()["reserved"] == 1


def test_attempts_that_an_activation_gives_back_are_those_that_were_spent(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge
) -> None:
    evaluation = scored(lab, team, 0.9)
    free = scored(lab, team, 0.8)
    first = dataset_of(lab, evaluation)
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(free)).spends = False
    spent = team.quota()["spent"]
    assert of_team(admin, lab) == (1, 0)
    second = lab.dataset(cases=7)
    assert team.quota()["spent"] == 0
    assert of_team(admin, lab) == (0, 0)
    with unit_of_work(lab.sessions) as session:
        effect = effect_of(session, session.get_one(Dataset, first))
    assert effect.come_back == 2
    assert "2 scored evaluations count again, and 1 attempt is spent again" in effect.sentence()
    bring_back(lab, first)
    assert team.quota()["spent"] == spent == 1
    with unit_of_work(lab.sessions) as session:
        sentence = effect_of(session, session.get_one(Dataset, second)).sentence()
    assert sentence == "2 scored evaluations no longer count, and 1 attempt is given back"


def test_what_ended_on_cases_that_are_no_longer_in_force_keeps_no_board_from_being_final(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    evaluation, waiting = team.submit(), team.submit()
    first = dataset_of(lab, evaluation)
    end(lab, evaluation)
    assert len(what_keeps_it(lab)) == 1, "another one of the team waits"
    second = lab.dataset(cases=7)
    assert what_keeps_it(lab) == [], "whatever comes of these is not ranked"
    bring_back(lab, first)
    end(lab, waiting)
    assert len(what_keeps_it(lab)) == 1
    bring_back(lab, second)
    scored(lab, team, 0.9)
    bring_back(lab, first)
    (said,) = what_keeps_it(lab)
    assert "not run again" in said, "its other evaluation is on other cases"
    assert put_back(admin, waiting) == 204
    (said,) = what_keeps_it(lab)
    assert "task5 1 queued" in said


def test_a_scoring_that_waits_for_a_pause_is_counted_as_one_and_not_as_no_case(
    lab: Lab, team: Entrant
) -> None:
    evaluation = in_scoring(lab, team)
    fail(lab, evaluation, PlatformFault.SCORER_LOST)
    with unit_of_work(lab.sessions) as session:
        said = parked_sentence(session) or ""
        note = forecast.forecast(session).note or ""
    assert "scoring of 1 evaluation" in said
    assert "0 cases" not in f"{said} {note}"


def test_a_disqualified_teams_evaluation_goes_on_and_is_shown_unranked(
    lab: Lab, team: Entrant, admin: Person, nobody: httpx.Client
) -> None:
    evaluation, worker = team.submit(), lab.worker()
    assert worker.release(worker.take(), BROKEN) == 204
    body = {"disqualified": "Two accounts."}
    assert admin.http.patch(f"/admin/teams/{team.team}", json=body).status_code in (200, 204)
    assert lab.unpark() == 1
    assert worker.drain() == 5
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert entries(board(nobody, lab)) == {}


def test_nothing_falls_over_what_ran_on_a_task_and_a_phase_that_vanished(
    lab: Lab, entrant: MakeEntrant, admin: Person, nobody: httpx.Client, fomo26: Challenge
) -> None:
    team = entrant("Ada")
    finished, errored, waiting = scored(lab, team, 0.9), team.submit(), team.submit()
    end(lab, errored)
    old = dataset_of(lab, waiting)
    lab.dataset(cases=7)
    lab.dataset(phase="sanity")
    worker = lab.worker()
    assert worker.release(worker.take(), BROKEN) == 204
    tasks = {name: one for name, one in fomo26.tasks.items() if name != "task5"}
    boards = {name: one for name, one in fomo26.boards.items() if one.task in tasks}
    weights = {name: fomo26.ranking.weights[name] for name in boards}
    ranking = fomo26.ranking.model_copy(update={"weights": weights})
    change(lab, fomo26, tasks=tasks, boards=boards, ranking=ranking, **without_validation(fomo26))
    slug = lab.slug
    for path, more in {
        "/admin/queue": {"challenge": slug},
        "/admin/errors": {"challenge": slug},
        "/admin/evaluations": {"challenge": slug},
        f"/admin/evaluations/{waiting}": {},
        f"/admin/evaluations/{finished}/cases": {},
        f"/admin/evaluations/{waiting}/summary": {},
        "/admin/teams": {"challenge": slug},
        "/admin/slots": {},
        f"/admin/challenges/{slug}/datasets": {},
        f"/admin/datasets/{old}/effect": {},
        f"/challenges/{slug}": {},
        f"/challenges/{slug}/leaderboards/sanity": {},
        f"/challenges/{slug}/leaderboards/test": {},
        f"/challenges/{slug}/leaderboards/test.csv": {},
    }.items():
        answer = admin.http.get(path, params=more)
        assert answer.status_code in (200, 404), (path, answer.text)
        assert answer.status_code == 200 or answer.json()["code"] == "no_board", (path, answer.text)
    for one in (finished, errored, waiting):
        assert team.evaluation(one)["task"] == "task5"
    assert team.http.get(f"/challenges/{slug}/quota").status_code == 200
    assert team.http.get(f"/challenges/{slug}/submissions").status_code == 200
    host = f"http://{nobody.base_url.netloc.decode()}"
    assert nobody.get(f"{host}/challenges/{slug}").status_code == 200
    assert admin.http.post(f"/admin/datasets/{old}/activate", json={"yes": True}).status_code == 204
    assert put_back(admin, errored) == 204
    lab.unpark()
    assert worker.drain() == 10
    with unit_of_work(lab.sessions) as session:
        forecast.forecast(session)
        assert [one for one in stale(session) if one.challenge == slug] == []
    file = text_of(fomo26, slug)
    plan = admin.http.post("/admin/challenges/plan", json={"file": file})
    assert plan.status_code == 200, plan.text
    change(lab, fomo26)
    assert entries(board(nobody, lab)) != {}, "the earlier file again"
