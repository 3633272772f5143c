"""What admins see of errors, and evaluations that they have run again: outputs stay, and no attempt is taken."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from contract.statuses import EvaluationStatus
from evaluator.spec import Challenge
from evaluator.verdicts import PlatformFault
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations import faults
from server.evaluations.models import Evaluation
from server.events import Event
from server.submissions.quota import quota_of
from tests.server.conftest import Person
from tests.server.lab import Entrant, FakeWorker, Lab
from tests.server.test_faults import BROKEN
from tests.server.test_scoring_faults import SENTENCE, claimed, fail, in_scoring

MakeEntrant = Callable[[str], Entrant]


def end(lab: Lab, evaluation: str) -> None:
    """Ends an evaluation by the platform's fault, as it is."""
    with unit_of_work(lab.sessions) as session:
        found = session.get_one(Evaluation, UUID(evaluation))
        fault = PlatformFault.ENGINE_UNAVAILABLE
        faults.give_up(session, found, actor="tests", code=fault, why=faults.NOT_RUN, trouble="It hung.")


def errors_of(admin: Person, lab: Lab, **words: str) -> dict[str, dict[str, object]]:
    """What GET /admin/errors says of the challenge's errored evaluations, by id."""
    answer = admin.http.get("/admin/errors", params={"challenge": lab.slug, **words})
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["errored"]}


def put_back(admin: Person, evaluation: str, **body: str) -> int:
    return admin.http.post(f"/admin/evaluations/{evaluation}/retry", json=body).status_code


@pytest.fixture
def half(lab: Lab, team: Entrant) -> tuple[str, FakeWorker]:
    """An evaluation that is errored after two of its five cases, and a worker."""
    evaluation, worker = team.submit(), lab.worker("run-1")
    for _ in range(2):
        assert worker.finish(worker.take()).status_code == 204
    assert worker.release(worker.take(), BROKEN, "the engine hung") == 204
    end(lab, evaluation)
    return evaluation, worker


def test_a_retried_evaluation_runs_only_the_cases_that_were_not_done(
    lab: Lab, team: Entrant, admin: Person, half: tuple[str, FakeWorker]
) -> None:
    evaluation, worker = half
    before = [run.output for run in lab.runs(evaluation)]
    assert put_back(admin, evaluation, why="the engine is mended") == 204
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason"], seen["reason_code"]) == ("running", None, None)
    assert (seen["finished_at"], seen["progress"]) == (None, 2)
    assert team.quota()["reserved"] == 1
    assert [run.faults for run in lab.runs(evaluation)] == [0] * 5
    assert worker.drain() == 3
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert [run.output for run in lab.runs(evaluation)][:2] == before[:2]
    with unit_of_work(lab.sessions) as session:
        query = select(Event).where(Event.subject_id == UUID(evaluation), Event.what.startswith("retried"))
        event = session.scalars(query).one()
    assert event.what == "retried: 3 of 5 cases run again"
    assert (event.why, event.actor) == ("the engine is mended", f"user:{admin.id}")


def test_one_without_any_case_done_begins_anew(lab: Lab, team: Entrant, admin: Person) -> None:
    evaluation, worker = team.submit(), lab.worker()
    end(lab, evaluation)
    assert put_back(admin, evaluation) == 204
    assert team.evaluation(evaluation)["status"] == "queued"
    assert worker.drain() == 5
    assert team.evaluation(evaluation)["status"] == "scoring"


def test_where_only_the_scoring_failed_only_that_repeats(lab: Lab, team: Entrant, admin: Person) -> None:
    evaluation = in_scoring(lab, team)
    for _ in range(2):
        fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    seen = errors_of(admin, lab)[evaluation]
    assert (seen["code"], seen["cases_done"], seen["cases"]) == ("scorer_failed", 5, 5)
    assert SENTENCE in str(seen["reason"])
    assert put_back(admin, evaluation) == 204
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert lab.worker().lease() is None
    assert claimed(lab) == (UUID(evaluation), 3)
    assert errors_of(admin, lab) == {}


def test_what_was_met_before_a_retry_is_not_held_against_it(lab: Lab, team: Entrant, admin: Person) -> None:
    evaluation = in_scoring(lab, team)
    for _ in range(2):
        fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    assert put_back(admin, evaluation) == 204
    fail(lab, evaluation, PlatformFault.SCORER_FAILED)
    assert team.evaluation(evaluation)["status"] == "scoring"


def test_only_an_errored_evaluation_is_retried_and_only_once(
    lab: Lab, team: Entrant, admin: Person, half: tuple[str, FakeWorker]
) -> None:
    cancelled = team.submit()
    assert admin.http.post(f"/admin/evaluations/{cancelled}/retry").json()["code"] == "not_errored"
    assert put_back(admin, half[0]) == 204
    assert admin.http.post(f"/admin/evaluations/{half[0]}/retry").json()["code"] == "not_errored"
    missing = admin.http.post(f"/admin/evaluations/{uuid4()}/retry")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_evaluation")


def test_a_worker_that_wakes_after_a_retry_writes_nothing(lab: Lab, team: Entrant, admin: Person) -> None:
    evaluation, asleep = team.submit(), lab.worker()
    old = asleep.take()
    end(lab, evaluation)
    assert put_back(admin, evaluation) == 204
    assert asleep.heartbeat(old) == 409
    assert asleep.finish(old, fault="timeout").status_code == 409
    assert {run.verdict for run in lab.runs(evaluation)} == {None}


def test_an_admin_retries_though_the_team_has_no_attempt_left_and_it_costs_none(
    lab: Lab, team: Entrant, admin: Person, fomo26: Challenge, half: tuple[str, FakeWorker]
) -> None:
    phase = fomo26.phases["validation"]
    once = phase.model_copy(update={"attempts": phase.attempts.model_copy(update={"valid": 1})})
    spec = fomo26.model_copy(update={"challenge": lab.slug, "phases": fomo26.phases | {"validation": once}})
    with unit_of_work(lab.sessions) as session:
        apply(session, spec, actor="tests")
    team.submit()
    assert team.quota()["left"] == 0
    assert put_back(admin, half[0]) == 204
    quota = team.quota()
    assert (quota["spent"], quota["reserved"], quota["left"]) == (0, 1, 0)
    half[1].drain()
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(half[0])).move_to(session, EvaluationStatus.SCORED, actor="tests")
        counted = quota_of(
            session, spec, team_id=UUID(team.team), phase="validation", task="task5", track="open"
        )
    assert counted.spent == 0
    assert team.post("task5").json()["code"] == "quota_spent"


def test_a_retried_evaluation_spends_the_attempt_that_it_holds(
    lab: Lab, team: Entrant, admin: Person, half: tuple[str, FakeWorker]
) -> None:
    assert put_back(admin, half[0]) == 204
    half[1].drain()
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(half[0])).move_to(session, EvaluationStatus.SCORED, actor="tests")
    quota = team.quota()
    assert (quota["spent"], quota["reserved"], quota["left"]) == (1, 0, 2)


def test_admins_see_which_evaluation_failed_where_and_why(
    lab: Lab, team: Entrant, admin: Person, half: tuple[str, FakeWorker]
) -> None:
    seen = errors_of(admin, lab)[half[0]]
    expected = {
        "challenge": lab.slug,
        "phase": "validation",
        "track": "open",
        "task": "task5",
        "team": "The Team",
        "status": "errored",
        "code": BROKEN,
        "reason": "It hung.",
        "cases": 5,
        "cases_done": 2,
        "cases_parked": 0,
        "image": team.image,
        "worker": half[1].name,
    }
    assert {key: seen[key] for key in expected} == expected
    later = datetime.now(UTC) + timedelta(hours=1)
    assert errors_of(admin, lab, since=later.isoformat()) == {}
    assert admin.http.get("/admin/errors", params={"since": "yesterday"}).status_code == 422
    assert admin.http.get("/admin/errors", params={"challenge": "none"}).json()["code"] == "unknown_challenge"


def test_admins_see_what_is_parked_since_when_and_because_of_what(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    evaluation, worker = team.submit(), lab.worker()
    for _ in range(2):
        assert worker.release(worker.take(), BROKEN, "no room on gpu-2") == 204
    (seen,) = admin.http.get("/admin/errors", params={"challenge": lab.slug}).json()["parked"]
    assert (seen["id"], seen["status"], seen["code"]) == (evaluation, "running", BROKEN)
    assert (seen["cases_parked"], seen["reason"], seen["worker"]) == (2, "no room on gpu-2", worker.name)
    assert seen["since"] is not None


@pytest.mark.parametrize("who", ["nobody", "participant", "worker", "admin without the scope"])
def test_errors_and_retries_are_for_admins_alone(
    lab: Lab, team: Entrant, admin: Person, half: tuple[str, FakeWorker], nobody: httpx.Client, who: str
) -> None:
    if who == "admin without the scope":
        made = admin.http.post("/tokens", json={"name": uuid4().hex, "scopes": ["read", "submit"]}).json()
        http = lab.clients(made["token"])
    else:
        http = {"nobody": nobody, "participant": team.http, "worker": half[1].http}[who]
    answers = [http.get("/admin/errors"), http.post(f"/admin/evaluations/{half[0]}/retry")]
    assert {answer.status_code for answer in answers} <= {401, 403}
    assert team.evaluation(half[0])["status"] == "errored"


def test_nothing_of_a_fault_reaches_a_participant(
    lab: Lab, team: Entrant, half: tuple[str, FakeWorker]
) -> None:
    seen = str(team.evaluation(half[0]))
    for secret in ("hung", half[1].name, lab.runs(half[0])[0].pseudonym):
        assert secret not in seen
    assert "told" not in seen, "nobody is told; they see it where they look"
    assert "list of errors" in seen
