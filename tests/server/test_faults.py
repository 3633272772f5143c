"""A case that meets a fault of ours: who gets it next, and that one broken host ends nobody's evaluation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from server.database import unit_of_work
from server.evaluations.worker_models import WorkerSlot
from tests.server.lab import GIB, Entrant, FakeWorker, Lab

MakeEntrant = Callable[[str], Entrant]
BROKEN = "engine_unavailable"


def not_seen_for(lab: Lab, seconds: float, **named: Any) -> None:
    """Lets slots be silent."""
    with unit_of_work(lab.sessions) as session:
        at = func.now() - timedelta(seconds=seconds)
        session.execute(update(WorkerSlot).filter_by(**named).values(seen_at=at))


def beside(worker: FakeWorker, name: str) -> FakeWorker:
    """Another slot of the same host."""
    return replace(worker, name=name)


def test_a_broken_host_burns_no_case_three_times_while_another_is_there(lab: Lab, team: Entrant) -> None:
    broken, sound = lab.worker("broken"), lab.worker("sound")
    assert sound.lease() is None
    evaluation = team.submit()
    failed = [broken.take() for _ in range(3)]
    assert [broken.release(one, BROKEN) for one in failed] == [204] * 3
    assert sound.lease() is None, "they are parked"
    assert lab.unpark() == 3
    assert broken.lease() is None, "only the first cases may run, and each has failed here"
    taken = [sound.take() for _ in range(3)]
    assert {one["case_run"] for one in taken} == {one["case_run"] for one in failed}
    assert {sound.finish(one).status_code for one in taken} == {204}
    for number in range(2):
        assert broken.release(broken.take(), BROKEN) == 204, number
    assert lab.unpark() == 2
    assert broken.lease() is None
    assert sound.drain() == 2
    assert team.evaluation(evaluation)["status"] == "scoring"
    assert {run.faults for run in lab.runs(evaluation)} == {1}


def test_a_faulty_slot_passes_its_case_to_the_one_beside_it(lab: Lab, team: Entrant) -> None:
    one = lab.worker("one")
    other = beside(one, "other")
    assert other.lease() is None
    team.submit()
    first = one.take()
    assert one.release(first, "gpu_fault") == 204
    assert lab.unpark() == 1
    assert one.take()["case_run"] != first["case_run"]
    assert other.take()["case_run"] == first["case_run"]


@pytest.mark.parametrize("reason", ["gone", "unfit", "too small"])
def test_where_nobody_else_could_run_it_the_same_slot_gets_it_again(
    lab: Lab, team: Entrant, reason: str
) -> None:
    one = lab.worker("one")
    other = lab.worker("other", memory=8 * GIB) if reason == "too small" else lab.worker("other")
    assert other.lease() is None
    if reason == "gone":
        not_seen_for(lab, 61, name=other.name)
    if reason == "unfit":
        assert other.http.put(f"/worker/slots/{other.name}", json={"unfit": "Broken."}).status_code == 204
    team.submit()
    first = one.take()
    assert one.release(first, BROKEN) == 204
    assert lab.unpark() == 1
    assert one.take()["case_run"] == first["case_run"]


def test_a_stopped_worker_that_wakes_writes_nothing_and_the_case_counts_once(lab: Lab, team: Entrant) -> None:
    asleep, awake = lab.worker("asleep"), lab.worker("awake")
    evaluation = team.submit()
    old = asleep.take()
    uploaded = asleep.output(old, b"0.9\n")
    assert (lab.expire(old), lab.unpark()) == (1, 1)
    new = awake.take()
    assert new["case_run"] == old["case_run"]
    body = {"output": uploaded, "message": "", "seconds": 1.0}
    assert asleep.call("POST", old, "finish", json=body).status_code == 409
    assert asleep.release(old) == asleep.release(old, BROKEN) == 409
    assert awake.finish(new).status_code == 204
    assert asleep.call("POST", old, "finish", json=body).status_code == 409
    assert awake.drain() == 4
    runs = lab.runs(evaluation)
    assert [run.output == uploaded for run in runs] == [False] * 5
    assert sum(run.claim_no for run in runs) == 6, "one case was leased twice"
    assert team.evaluation(evaluation)["status"] == "scoring"


@pytest.mark.parametrize("end", ["cancelled", "rejected"])
def test_an_evaluation_that_ended_gives_its_attempt_back_and_takes_no_verdict(
    lab: Lab, team: Entrant, end: str
) -> None:
    worker, evaluation = lab.worker(), team.submit()
    assert team.quota()["left"] == 2
    held = worker.take()
    if end == "cancelled":
        assert team.http.post(f"/evaluations/{evaluation}/cancel").status_code == 200
    else:
        leases = [held, *(worker.take() for _ in range(2))]
        for one in leases:
            assert worker.finish(one, fault="timeout").status_code == 204
    assert team.evaluation(evaluation)["status"] == end
    assert worker.heartbeat(held) == 409
    assert worker.finish(held, fault="timeout").status_code == 409
    assert worker.lease() is None
    assert team.quota()["left"] == 3
