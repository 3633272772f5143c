"""The queue: who gets which case, and what a worker may still do once its lease is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from contract.leases import SlotOffer
from server import wakeups
from server.accounts.principals import RunWorker
from server.database import unit_of_work
from server.evaluations import faults, service
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.ids import new_id
from server.queue.claim import claim
from tests.server.lab import GIB, Entrant, FakeWorker, Json, Lab
from worker import app as worker_app

MakeEntrant = Callable[[str], Entrant]


def test_a_lease_names_no_case_and_brings_what_the_run_needs(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    assert "sub-" not in str(lease)
    assert lease["pseudonym"].startswith("case_")
    assert worker.call("GET", lease, "inputs/t1w").content.startswith(b"voxels of case")
    assert worker.call("GET", lease, f"blobs/{team.image}").status_code == 200
    assert worker.call("GET", lease, "inputs/t2w").json()["code"] == "unknown_input"
    foreign = lab.settings.blobs.put(b"something else")
    assert worker.call("GET", lease, f"blobs/{foreign}").json()["code"] == "unknown_blob"


def test_data_that_is_gone_from_the_server_is_said_to_be(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    with unit_of_work(lab.sessions) as session:
        place = session.get_one(CaseRun, UUID(lease["case_run"])).case.files["t1w"]["path"]
    (lab.settings.inputs / place).unlink()
    answer = worker.call("GET", lease, "inputs/t1w")
    assert (answer.status_code, answer.json()["code"]) == (500, "data_missing")


def test_a_participants_token_opens_no_lease(lab: Lab, team: Entrant) -> None:
    team.submit()
    assert team.http.post("/worker/leases", json={"name": "x", "cpus": 1, "memory": 1}).status_code == 401


def test_an_expired_lease_goes_back_and_the_next_claim_fences_the_old_one(lab: Lab, team: Entrant) -> None:
    evaluation, slow, quick = team.submit(), lab.worker("slow"), lab.worker("quick")
    old = slow.take()
    assert (lab.expire(old), lab.unpark()) == (1, 1)
    new = quick.take()
    assert (new["case_run"], new["claim_no"]) == (old["case_run"], old["claim_no"] + 1)
    assert slow.heartbeat(old) == 409
    body = {"fault": "timeout", "message": "late", "seconds": 1}
    refused = [
        slow.call("POST", old, "finish", json=body),
        slow.call("PUT", old, "output", content=b"0.1\n"),
        slow.call("GET", old, "inputs/t1w"),
        slow.call("GET", old, f"blobs/{team.image}"),
        slow.call("POST", old, "release", json={"fault": "gpu_fault"}),
    ]
    assert {answer.status_code for answer in refused} == {409}
    assert {answer.json()["code"] for answer in refused} == {"lease_lost"}
    assert quick.finish(new).status_code == 204
    assert lab.runs(evaluation)[0].verdict == "valid"


def test_a_finished_case_cannot_be_finished_twice(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    assert worker.finish(lease).status_code == 204
    body = {"fault": "timeout", "message": "again", "seconds": 1}
    assert worker.call("POST", lease, "finish", json=body).status_code == 409


def test_a_heartbeat_keeps_a_lease(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    assert worker.heartbeat(lease) == 204
    with unit_of_work(lab.sessions) as session:
        assert faults.expire_leases(session, settings=lab.settings) == 0


def test_a_stopping_worker_hands_back_without_a_fault(lab: Lab, team: Entrant) -> None:
    evaluation, worker = team.submit(), lab.worker()
    for _ in range(4):
        assert worker.release(worker.take()) == 204
    assert team.evaluation(evaluation)["status"] == "running"
    assert lab.runs(evaluation)[0].faults == 0


def test_a_valid_case_needs_an_output_that_was_uploaded(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    body = {"message": "", "seconds": 1}
    assert worker.call("POST", lease, "finish", json=body).json()["code"] == "output_and_fault"
    unknown = body | {"output": "sha256:" + "0" * 64}
    assert worker.call("POST", lease, "finish", json=unknown).json()["code"] == "unknown_output"


def test_teams_take_turns_whoever_came_first(lab: Lab, entrant: MakeEntrant) -> None:
    early, late = entrant("Early"), entrant("Late")
    lab.dataset("task3")
    many = {early.submit(), early.submit("task3")}
    one = late.submit()
    owners = [lab.worker().take()["evaluation"] for _ in range(6)]
    assert [owner == one for owner in owners] == [False, True] * 3
    assert many >= set(owners) - {one}


def test_a_slot_gets_only_what_it_can_run_and_the_team_is_told(lab: Lab, team: Entrant) -> None:
    with unit_of_work(lab.sessions) as session:
        session.query(WorkerSlot).delete()
    evaluation = team.submit()
    lacks: tuple[dict[str, Any], ...] = (
        {"memory": 8 * GIB},
        {"cpus": 2},
        {"gpus": 0},
        {"gpu_memory": 8 * GIB},
    )
    for lack in lacks:
        assert lab.worker(**lack).lease() is None
    note = team.evaluation(evaluation)["note"]
    assert note.startswith(
        "Waits: no worker offers 32 CPUs, 64 GiB of memory, 1 GPU of 80 GB; the organizers"
    )
    assert lab.worker().lease() is not None
    assert team.evaluation(evaluation)["note"] is None


def test_what_runs_on_a_worker_that_drains_is_not_said_to_wait_for_its_start(lab: Lab, team: Entrant) -> None:
    running, worker = team.submit(), lab.worker()
    worker.take()
    queued = team.submit()
    with unit_of_work(lab.sessions) as session:
        session.execute(update(WorkerSlot).values(draining_since=func.now(), seen_at=func.now()))
    drained = "the worker that could run it takes no work at present; the organizers see it."
    seen = team.evaluation(running)
    assert (seen["status"], seen["queue"]) == ("running", None)
    assert seen["note"].startswith(f"What runs of it is finished, the rest waits: {drained}")
    waits = team.evaluation(queued)
    assert waits["note"].startswith(f"Waits: {drained}")
    assert waits["queue"]["said"] == (
        "When it starts cannot be estimated: no worker that could run it takes work."
    )


def test_a_team_is_told_since_when_nobody_is_there_that_could_run_it(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    assert team.evaluation(evaluation)["note"].startswith(
        "Waits: no worker is there, and none has offered 32 CPUs"
    )
    small, fitting = lab.worker("small", cpus=1), lab.worker("fitting")
    assert small.lease() is None
    lease = fitting.take()
    assert fitting.release(lease) == 204
    assert team.evaluation(evaluation)["note"] is None
    seen = datetime(2026, 3, 5, 18, 56, tzinfo=UTC)
    with unit_of_work(lab.sessions) as session:
        session.execute(update(WorkerSlot).where(WorkerSlot.name == fitting.name).values(seen_at=seen))
    note = team.evaluation(evaluation)["note"]
    assert note.startswith(
        "Waits: no worker that could run it is there since 2026-03-05 18:56 UTC; the organizers see it."
    ), "whatever smaller ones are there"
    site = f"http://{team.http.base_url.netloc.decode()}/challenges/{lab.slug}"
    assert f"1 evaluation: {note}" in team.http.get(site).text, "on the page of the challenge too"


@pytest.fixture
def many_workers(lab: Lab) -> list[FakeWorker]:
    return [lab.worker(f"w{number}") for number in range(8)]


def test_concurrent_claims_never_give_one_case_twice(
    lab: Lab, entrant: MakeEntrant, many_workers: list[FakeWorker]
) -> None:
    lab.dataset(cases=12)
    evaluations = [entrant(f"Team {number}").submit() for number in range(3)]
    taken: Counter[tuple[str, int]] = Counter()
    lock, idle = threading.Lock(), threading.Event()

    def work(worker: FakeWorker) -> None:
        misses = 0
        while misses < 5:
            lease = worker.lease()
            if lease is None:
                misses += 1
                idle.wait(0.05)
                continue
            misses = 0
            with lock:
                taken[lease["case_run"], lease["claim_no"]] += 1
            assert worker.finish(lease).status_code == 204

    with ThreadPoolExecutor(len(many_workers)) as pool:
        list(pool.map(work, many_workers))
    assert len(taken) == 36
    assert set(taken.values()) == {1}
    assert {claim for _, claim in taken} == {1}
    for evaluation in evaluations:
        assert {run.status for run in lab.runs(evaluation)} == {"done"}


def test_eight_claimers_of_one_evaluation_take_every_case_once_and_wait_for_nobody(
    lab: Lab, team: Entrant
) -> None:
    lab.dataset(cases=60)
    evaluation = team.submit()
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(evaluation)).cleared = True
    # Somebody holds the evaluation's row all the while, as each finish does for a moment.
    with unit_of_work(lab.sessions) as holder:
        service.lock_evaluation(holder, UUID(evaluation))

        def drain(number: int) -> list[UUID]:
            taken: list[UUID] = []
            worker = RunWorker(new_id(), "host")
            while True:
                slot = SlotOffer(
                    name=f"slot-{number}-{len(taken)}",
                    cpus=64,
                    memory=256 * GIB,
                    gpus=1,
                    gpu_memory=141 * GIB,
                )
                with unit_of_work(lab.sessions) as session:
                    leased = claim(session, worker, slot, settings=lab.settings)
                    if leased is None:
                        return taken
                    taken += [run.id for run in leased.runs]

        with ThreadPoolExecutor(8) as pool:
            taken = [case for one in pool.map(drain, range(8)) for case in one]
    assert len(taken) == len(set(taken)) == 60


def test_two_last_cases_that_finish_at_once_do_not_strand_the_evaluation(
    lab: Lab, team: Entrant, many_workers: list[FakeWorker]
) -> None:
    for _ in range(3):
        lab.dataset(cases=2)
        evaluation = team.submit(track="method")
        pair = [(worker, worker.take()) for worker in many_workers[:2]]
        barrier = threading.Barrier(2)

        def finish(one: tuple[FakeWorker, Json], barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            return one[0].finish(one[1]).status_code

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(finish, pair)) == [204, 204]
        assert team.evaluation(evaluation)["status"] == "scoring"


def test_server_and_workers_name_wake_ups_alike() -> None:
    for name in ("RUN_QUEUE", "SCORE_QUEUE", "WAKE_RUN", "WAKE_SCORE", "WAKE_CHECK"):
        assert getattr(wakeups, name) == getattr(worker_app, name)


def test_a_lease_belongs_to_the_token_that_took_it(lab: Lab, team: Entrant) -> None:
    team.submit()
    owner, other = lab.worker("owner"), lab.worker("other")
    lease = owner.take()
    assert other.heartbeat(lease) == 409
    assert other.call("GET", lease, "inputs/t1w").status_code == 409
    assert other.finish(lease, fault="timeout").status_code == 409
    assert other.release(lease, "gpu_fault") == 409
    assert owner.heartbeat(lease) == 204


def test_a_lease_is_not_renewed_for_ever(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    with unit_of_work(lab.sessions) as session:
        run = session.get_one(CaseRun, UUID(lease["case_run"]))
        run.started_at = datetime.now(UTC) - timedelta(days=1)
    assert worker.heartbeat(lease) == 409, "a heart that beats for a worker that hangs"
