"""Taking submissions: what is refused, what counts, and what a key means."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from contract.statuses import EvaluationStatus
from server.database import unit_of_work
from server.evaluations import service
from server.evaluations.models import Evaluation
from tests.server.lab import Entrant, Lab


def score(lab: Lab, evaluation: str) -> None:
    """Ends an evaluation as SCORED, as a score worker does after its cases have run."""
    with unit_of_work(lab.sessions) as session:
        row = service.lock_evaluation(session, UUID(evaluation))
        for status in (EvaluationStatus.RUNNING, EvaluationStatus.SCORING, EvaluationStatus.SCORED):
            row.move_to(session, status, actor="tests")


def test_a_submission_queues_one_evaluation_per_task_with_all_its_cases(lab: Lab, team: Entrant) -> None:
    lab.dataset("task3", cases=2)
    answer = team.post("task3", "task5")
    assert answer.status_code == 201
    evaluations = {one["task"]: one for one in answer.json()["evaluations"]}
    assert {task: one["cases"] for task, one in evaluations.items()} == {"task3": 2, "task5": 5}
    assert {one["status"] for one in evaluations.values()} == {"queued"}
    names = [run.pseudonym for run in lab.runs(evaluations["task5"]["id"])]
    assert names == sorted(names), "cases run in the order of their pseudonyms"
    assert len(set(names)) == 5


def test_one_refused_task_refuses_the_whole_submission(lab: Lab, team: Entrant) -> None:
    answer = team.post("task5", "task4")  # task4 has no cases
    assert (answer.status_code, answer.json()["code"]) == (404, "no_dataset")
    assert team.quota()["reserved"] == 0
    assert team.http.get(f"/challenges/{lab.slug}/submissions").json() == []


@pytest.mark.parametrize(
    ("task", "changes", "status", "code"),
    [
        ("task9", {}, 422, "unknown_task"),
        ("task7", {}, 422, "board_not_task"),
        ("task5", {"track": "shut"}, 422, "unknown_track"),
        ("task5", {"phase": "final"}, 404, "unknown_phase"),
        ("task5", {"phase": "test"}, 409, "phase_closed"),
        ("task5", {"key": "x" * 201}, 400, "idempotency_key"),
    ],
)
def test_what_there_is_not_is_refused(
    lab: Lab, team: Entrant, task: str, changes: dict[str, str], status: int, code: str
) -> None:
    answer = team.post(task, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_submission_without_a_key_is_refused(lab: Lab, team: Entrant) -> None:
    body = {"track": "open", "phase": "validation", "images": {"task5": team.image}}
    answer = team.http.post(f"/challenges/{lab.slug}/submissions", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key")


def test_the_same_key_answers_the_first_submission(lab: Lab, team: Entrant) -> None:
    first, again = team.post("task5", key="k"), team.post("task5", key="k")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert team.post("task5", key="k", track="method").json()["code"] == "idempotency_key_reused"
    assert team.quota()["reserved"] == 1


def test_one_key_sent_many_times_at_once_is_one_submission(lab: Lab, team: Entrant) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: team.post("task5", key="k"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_keys_of_different_teams_are_their_own(
    lab: Lab, team: Entrant, entrant: Callable[[str], Entrant]
) -> None:
    other = entrant("Others")
    assert team.post("task5", key="k").json()["id"] != other.post("task5", key="k").json()["id"]


def test_concurrent_submissions_never_take_more_attempts_than_there_are(lab: Lab, team: Entrant) -> None:
    for _ in range(2):
        score(lab, team.submit())
    with ThreadPoolExecutor(6) as pool:
        codes = sorted(answer.status_code for answer in pool.map(lambda _: team.post("task5"), range(6)))
    assert codes == [201, *[429] * 5]
    quota = team.quota()
    assert (quota["spent"], quota["reserved"], quota["left"]) == (2, 1, 0)


def test_attempts_are_counted_per_task_track_and_phase(lab: Lab, team: Entrant) -> None:
    lab.dataset("task3")
    for _ in range(3):
        score(lab, team.submit())
    refused = team.post("task5")
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_spent")
    assert "3 scored, 0 under way" in refused.json()["detail"]
    assert team.post("task3").status_code == 201
    assert team.post("task5", track="method").status_code == 201


def test_a_public_phase_has_no_limit(lab: Lab, team: Entrant) -> None:
    lab.dataset(phase="sanity", cases=1)
    for _ in range(5):
        team.submit(phase="sanity")
    assert team.quota(phase="sanity")["left"] is None


def test_others_see_nothing_of_a_submission(
    lab: Lab, team: Entrant, entrant: Callable[[str], Entrant]
) -> None:
    answer, other = team.post("task5").json(), entrant("Others")
    evaluation = answer["evaluations"][0]["id"]
    assert other.http.get(f"/submissions/{answer['id']}").json()["code"] == "unknown_submission"
    assert other.http.get(f"/evaluations/{evaluation}").json()["code"] == "unknown_evaluation"
    assert other.http.post(f"/evaluations/{evaluation}/cancel").status_code == 404
    assert other.post("task5", team=team.team).status_code in (404, 422)


def test_a_queued_evaluation_keeps_its_dataset(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    newer = lab.dataset(cases=7)
    with unit_of_work(lab.sessions) as session:
        assert session.get_one(Evaluation, UUID(evaluation)).dataset_id != newer
    assert len(lab.runs(team.submit())) == 7
