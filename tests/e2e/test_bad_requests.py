"""Submissions that ask for what there is not: refused at once, with a code and a sentence that helps."""

import uuid

import pytest

from tests.e2e.habits import Bench
from tests.e2e.people import Json, Person


def problem(person: Person, images: dict[str, str], **changes: str) -> Json:
    answer = person.submit(images, **changes)
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = answer.json()
    assert body["status"] == answer.status_code
    return body


@pytest.mark.parametrize(
    ("task", "changes", "status", "code", "part"),
    [
        ("task9", {}, 422, "unknown_task", "task1, task2, task3"),
        ("task7", {}, 422, "board_not_task", "task7 is a board of task6: submit task6."),
        ("task5", {"track": "closed"}, 422, "unknown_track", "Tracks: open,"),
        ("task5", {"phase": "final"}, 404, "unknown_phase", "sanity, validation, test"),
        ("task5", {"phase": "test"}, 409, "phase_closed", "has no opening date yet"),
        ("task1", {}, 404, "no_dataset", "no cases for task1"),
        ("task5", {"key": "x" * 201}, 400, "idempotency_key", "1 to 200 characters"),
    ],
)
def test_what_cannot_be_submitted_is_refused_with_a_reason(
    bench: Bench, task: str, changes: dict[str, str], status: int, code: str, part: str
) -> None:
    said = problem(bench.person, {task: bench.honest}, **changes)
    assert (said["status"], said["code"]) == (status, code)
    assert part in said["detail"]


def test_an_image_of_another_team_does_not_exist(bench: Bench, stranger: Person) -> None:
    said = problem(stranger, {"task5": bench.honest})
    assert (said["status"], said["code"]) == (404, "unknown_image")


def test_a_fourth_attempt_is_refused_and_a_withdrawn_one_given_back(bench: Bench) -> None:
    """An attempt is reserved from the moment of submission, so three under way leave none."""
    person, images = bench.person, {"task6": bench.honest}
    under_way = [person.submitted(images, track="slowly_stopped") for _ in range(3)]
    said = problem(person, images, track="slowly_stopped")
    assert (said["status"], said["code"], said["task"]) == (429, "quota_spent", "task6")
    assert "All 3 valid attempts on task6, track slowly_stopped" in said["detail"]
    for submission in under_way:
        evaluation = submission["evaluations"][0]["id"]
        assert person.http.post(f"/evaluations/{evaluation}/cancel").json()["status"] == "cancelled"
    assert person.quota("task6", track="slowly_stopped")["left"] == 3


def test_another_teams_submission_does_not_exist(bench: Bench, stranger: Person) -> None:
    own = bench.person.submitted({"task5": bench.honest}, track="slowly_undisturbed", phase="sanity")
    evaluation = own["evaluations"][0]["id"]
    for path in (
        f"/submissions/{own['id']}",
        f"/evaluations/{evaluation}",
        f"/evaluations/{evaluation}/cases",
        f"/teams/{bench.person.team}",
        f"/submissions/{uuid.uuid4()}",
    ):
        answer = stranger.http.get(path)
        assert answer.status_code == 404, path
    assert stranger.http.post(f"/evaluations/{evaluation}/cancel").status_code == 404
    assert stranger.http.get(f"/admin/evaluations/{evaluation}/cases").status_code == 403
    bench.person.http.post(f"/evaluations/{evaluation}/cancel")


def test_the_same_key_is_the_same_submission(bench: Bench) -> None:
    person, key = bench.person, uuid.uuid4().hex
    first = person.submit({"task5": bench.honest}, phase="sanity", key=key)
    again = person.submit({"task5": bench.honest}, phase="sanity", key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = problem(person, {"task2": bench.honest}, phase="sanity", key=key)
    assert (other["status"], other["code"]) == (409, "idempotency_key_reused")
    person.http.post(f"/evaluations/{first.json()['evaluations'][0]['id']}/cancel")
