"""What a hostile participant, container or run worker tries, and what comes of it."""

import json
import re
from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, text, update
from sqlalchemy.exc import DBAPIError

from evaluator.spec import Challenge
from server.accounts.models import ApiToken
from server.accounts.tokens import create_worker_token, token_hash
from server.challenges.service import apply
from server.database import SessionFactory, unit_of_work
from tests.server.conftest import Clients, Person
from tests.server.lab import Entrant, Lab


def test_a_container_that_prints_nul_gets_its_verdict(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    body = {"fault": "exit_code", "message": "a\0", "warnings": ["b\0"], "seconds": 1, "log": "c\0d"}
    assert worker.call("POST", worker.take(), "finish", json=body).status_code == 204
    assert lab.runs(evaluation)[0].log == "c\ufffdd"


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff"])
def test_half_a_surrogate_pair_gets_its_verdict_too(lab: Lab, team: Entrant, text: str) -> None:
    evaluation, worker = team.submit(), lab.worker()
    body = {"fault": "exit_code", "message": text, "warnings": [text], "seconds": 1, "log": text}
    content, json_type = json.dumps(body).encode(), {"Content-Type": "application/json"}
    assert worker.call("POST", worker.take(), "finish", content=content, headers=json_type).status_code == 204
    run = lab.runs(evaluation)[0]
    assert run.log == run.message == run.warnings[0] == re.sub("[\ud800-\udfff]", "\ufffd", text)


def test_a_slot_of_infinite_size_is_refused(lab: Lab) -> None:
    content, json_type = b'{"name": "x", "cpus": Infinity, "memory": 1}', {"Content-Type": "application/json"}
    answer = lab.worker().http.post("/worker/leases", content=content, headers=json_type)
    assert answer.status_code == 422
    assert "cpus" in answer.json()["detail"]


def test_a_case_takes_no_output_but_the_one_uploaded_for_it(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    first, second = worker.take(), worker.take()
    foreign = worker.output(first, b"0.25\n")
    body = {"message": "", "seconds": 1, "output": foreign}
    assert worker.call("POST", second, "finish", json=body).json()["code"] == "unknown_output"
    assert worker.release(first) == 204
    again = worker.take()
    assert again["case_run"] == first["case_run"]
    assert worker.call("POST", again, "finish", json=body).json()["code"] == "unknown_output"


def test_seconds_without_end_are_refused(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    content = '{"fault": "timeout", "message": "", "seconds": Infinity}'
    headers = {"Content-Type": "application/json"}
    assert worker.call("POST", lease, "finish", content=content, headers=headers).status_code == 422


def test_tasks_that_share_attempts_take_one_each(
    lab: Lab, team: Entrant, sessions: SessionFactory, fomo26: Challenge
) -> None:
    lab.dataset("task3")
    phase = fomo26.phases["validation"]
    attempts = phase.attempts.model_copy(update={"per": ("team", "track"), "valid": 1})
    phases = fomo26.phases | {"validation": phase.model_copy(update={"attempts": attempts})}
    with unit_of_work(sessions) as session:
        apply(session, fomo26.model_copy(update={"challenge": lab.slug, "phases": phases}), actor="tests")
    assert team.post("task3", "task5").json()["code"] == "quota_spent"
    assert team.post("task5").status_code == 201
    assert team.post("task3").json()["code"] == "quota_spent"


def test_a_body_that_would_fill_the_memory_is_refused(nobody: httpx.Client) -> None:
    answer = nobody.post(
        "/sessions", content=b" " * (9 * 2**20), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_a_token_that_may_only_read_revokes_none(person: Callable[..., Person], clients: Clients) -> None:
    somebody = person()
    made = [
        somebody.http.post("/tokens", json={"name": uuid4().hex, "scopes": scopes}).json()
        for scopes in (["read"], ["read", "submit"])
    ]
    reader = clients(made[0]["token"])
    assert reader.delete(f"/tokens/{made[1]['id']}").json()["code"] == "scope_missing"
    assert clients(made[1]["token"]).get("/me").status_code == 200


def test_an_error_of_the_database_names_no_values(sessions: SessionFactory) -> None:
    with unit_of_work(sessions) as session, pytest.raises(DBAPIError) as caught:
        session.execute(text("SELECT CAST(:name AS integer)"), {"name": "sub-07"})
    assert "[SQL parameters hidden" in str(caught.value)


def test_a_revoked_worker_token_does_not_come_back(sessions: SessionFactory, clients: Clients) -> None:
    name, given = f"host-{uuid4().hex}", f"prw_{uuid4().hex}"
    with unit_of_work(sessions) as session:
        assert create_worker_token(session, name, token=given) == given
        session.execute(
            update(ApiToken).where(ApiToken.hash == token_hash(given)).values(revoked_at=func.now())
        )
    with unit_of_work(sessions) as session:
        fresh = create_worker_token(session, name, token=given)
    slot = {"name": name, "cpus": 0.01, "memory": 1}
    assert clients(given).post("/worker/leases", json=slot).json()["code"] == "token_revoked"
    assert clients(fresh).post("/worker/leases", json=slot).status_code == 204
