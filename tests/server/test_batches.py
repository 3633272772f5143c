"""Several cases in one lease, containers kept for several, budgets, and slots that take no work."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from contract.leases import SlotOffer
from evaluator.spec import Challenge, Gpu
from server.accounts.principals import RunWorker
from server.challenges.service import apply
from server.database import unit_of_work
from server.evaluations import service
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import TeamUsage, WorkerSlot
from server.ids import new_id
from server.images.models import Image
from server.queue import batches, leases
from server.queue.claim import claim as claim_cases
from tests.server.lab import GIB, Entrant, FakeWorker, Json, Lab

Amend = Callable[..., None]


@pytest.fixture
def amend(lab: Lab, fomo26: Challenge) -> Amend:
    """Applies the challenge again with other limits."""

    def apply_with(**limits: Any) -> None:
        spec = fomo26.model_copy(
            update={"challenge": lab.slug, "limits": fomo26.limits.model_copy(update=limits)}
        )
        with unit_of_work(lab.sessions) as session:
            apply(session, spec, actor="tests")

    return apply_with


def finish(worker: FakeWorker, lease: Json, **said: Any) -> int:
    """Ends one case, run as it was leased; valid unless a fault is said."""
    receipt = {"invoke": lease["mode"] == "invoke"}
    body = {"message": "As the test says.", "seconds": 1.5, "receipt": receipt, **said}
    if body.get("fault") is None:
        body["output"] = worker.output(lease)
    return worker.call("POST", lease, "finish", json=body).status_code


def cases(lease: Json) -> list[Json]:
    return [lease, *({"mode": lease["mode"]} | one for one in lease["more"])]


def measured(worker: FakeWorker, *, memory: int, gpu: int | None) -> None:
    """Runs the first three cases, which measure."""
    for _ in range(3):
        lease = worker.take()
        assert (lease["mode"], lease["more"]) == ("fresh", [])
        assert finish(worker, lease, peak_memory_bytes=memory, gpu_memory_bytes=gpu) == 204


MODEST: Json = {"gpu": None, "cpus": 1, "memory": 10 * GIB, "pack": "auto"}
"""Limits that promise a case nothing that a neighbour would take."""


@pytest.mark.parametrize(
    ("limits", "offer", "packed"),
    [
        ({}, {"most": 4}, 4),
        ({}, {"most": 50, "cpus": 33}, 25),  # 256 GiB hold 10 GiB so often
        ({"memory": GIB}, {"most": 50, "cpus": 33}, 33),  # a core for each
        ({"memory": GIB, "cpus": 0.5}, {"most": 50, "cpus": 33}, 33),
        ({"pack": 3}, {"most": 50}, 3),
        ({}, {}, 1),  # a worker that asks for one
        ({"memory": 200 * GIB}, {"most": 50}, 1),
    ],
)
def test_as_many_cases_are_packed_as_get_the_core_and_the_memory_that_the_challenge_states(
    lab: Lab, team: Entrant, amend: Amend, limits: Json, offer: Json, packed: int
) -> None:
    amend(**MODEST | limits)
    lab.dataset(cases=40)
    team.submit()
    only_slot(lab)
    worker = lab.worker(**offer)
    measured(worker, memory=GIB // 8, gpu=None)
    lease = worker.take()
    assert len(cases(lease)) == packed
    assert lease["mode"] == ("packed" if packed > 1 else "fresh")
    assert len({one["case_run"] for one in cases(lease)}) == packed
    for one in cases(lease):
        assert worker.heartbeat(one) == 204
        assert finish(worker, one) == 204


def only_slot(lab: Lab) -> None:
    """Forgets slots of earlier tests: a share of the waiting cases would be kept for them."""
    with unit_of_work(lab.sessions) as session:
        session.query(WorkerSlot).delete()


@pytest.mark.parametrize(
    "limits",
    [
        {"pack": 1},
        {"gpu": Gpu()},
        {"gpu": Gpu(required=False)},  # where there is one, they would share it
        {"cpus": 1.5},
        {"cpus": 32},
        {"cpus": 32, "pack": 8},  # a version from before this was refused
    ],
)
def test_what_is_promised_to_a_case_is_never_shared(
    lab: Lab, team: Entrant, amend: Amend, limits: Json
) -> None:
    amend(**MODEST | limits)
    lab.dataset(cases=20)
    team.submit()
    worker = lab.worker(most=8)
    measured(worker, memory=GIB, gpu=GIB)
    assert worker.take()["more"] == []


def test_fomo26_packs_no_case_as_its_file_says(lab: Lab, team: Entrant, fomo26: Challenge) -> None:
    assert fomo26.limits.promised == "1 GPU and 32 cores"
    assert not any(fomo26.limits_of(task).may_pack for task in fomo26.tasks)
    lab.dataset(cases=20)
    team.submit()
    worker = lab.worker(most=50, cpus=512, memory=4096 * GIB)
    measured(worker, memory=GIB, gpu=GIB)
    lease = worker.take()
    assert (lease["mode"], lease["more"]) == ("fresh", [])


def test_what_waits_is_shared_between_the_present_slots(lab: Lab, team: Entrant, amend: Amend) -> None:
    amend(**MODEST)
    lab.dataset(cases=9)
    team.submit()
    only_slot(lab)
    worker, beside = lab.worker(most=50), lab.worker(most=50)
    measured(worker, memory=GIB, gpu=GIB)
    assert beside.lease() is not None, "it is present"
    assert len(cases(worker.take())) == 2
    assert len(cases(beside.take())) == 1


@pytest.fixture
def invoked(lab: Lab, team: Entrant, amend: Amend) -> tuple[str, FakeWorker]:
    """An evaluation of 60 cases whose image and challenge allow invoke mode, and the only worker, which can."""
    amend(invoke=True)
    with unit_of_work(lab.sessions) as session:
        image = session.scalars(select(Image).where(Image.digest == team.image)).one()
        image.facts = image.facts.model_copy(update={"invoke": True})
    lab.dataset(cases=60)
    evaluation = team.submit()
    only_slot(lab)
    return evaluation, lab.worker(invoke=True)


def test_invoke_serves_the_first_cases_and_then_fifty(invoked: tuple[str, FakeWorker], lab: Lab) -> None:
    evaluation, worker = invoked
    first = worker.take()
    assert (first["mode"], len(cases(first))) == ("invoke", 3)
    assert worker.lease() is None, "the rest waits for the first"
    for one in cases(first):
        assert finish(worker, one) == 204
    second = worker.take()
    assert (second["mode"], len(cases(second))) == ("invoke", 50)
    drawn = [one["case_run"] for lease in (first, second) for one in cases(lease) if one["repeat"]]
    with unit_of_work(lab.sessions) as session:
        found = session.get_one(Evaluation, UUID(evaluation))
        assert len(batches.repeated(session, found, lab.settings)) == 3
    assert 2 <= len(drawn) <= 3


@pytest.mark.parametrize("lacks", ["worker", "image", "challenge"])
def test_invoke_needs_challenge_image_and_worker(lab: Lab, team: Entrant, amend: Amend, lacks: str) -> None:
    amend(invoke=lacks != "challenge")
    with unit_of_work(lab.sessions) as session:
        image = session.scalars(select(Image).where(Image.digest == team.image)).one()
        image.facts = image.facts.model_copy(update={"invoke": lacks != "image"})
    team.submit()
    assert lab.worker(invoke=lacks != "worker").take()["mode"] == "fresh"


def test_a_claim_waits_for_nobody_who_ends_a_case_of_the_evaluation(
    invoked: tuple[str, FakeWorker], lab: Lab
) -> None:
    evaluation, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one) == 204
    slot = SlotOffer(name="another", cpus=64, memory=256 * GIB, gpus=1, gpu_memory=141 * GIB, invoke=True)
    with unit_of_work(lab.sessions) as ending, unit_of_work(lab.sessions) as claiming:
        service.lock_evaluation(ending, UUID(evaluation))
        claiming.execute(text("SET LOCAL lock_timeout = '2s'"))
        leased = claim_cases(claiming, RunWorker(new_id(), "another"), slot, settings=lab.settings)
        assert leased is not None
        assert (str(leased.evaluation.id), leased.mode, len(leased.runs) > 1) == (evaluation, "invoke", True)
        claiming.flush()


def test_a_heartbeat_waits_for_nobody_who_has_the_slot(invoked: tuple[str, FakeWorker], lab: Lab) -> None:
    _, worker = invoked
    lease = worker.take()
    with unit_of_work(lab.sessions) as claiming, unit_of_work(lab.sessions) as beating:
        held = select(WorkerSlot).where(WorkerSlot.name == worker.name).with_for_update()
        own = RunWorker(claiming.scalars(held).one().worker_id, worker.name)
        beating.execute(text("SET LOCAL lock_timeout = '2s'"))
        claim = service.Claim(UUID(lease["case_run"]), lease["claim_no"], own.id)
        assert leases.heartbeat(beating, [claim], own, settings=lab.settings) == []


def test_one_heartbeat_renews_what_is_held_and_names_what_is_lost(
    invoked: tuple[str, FakeWorker], lab: Lab
) -> None:
    evaluation, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one) == 204
    batch = cases(worker.take())
    assert len(batch) == 50
    assert finish(worker, batch[0]) == 204
    unknown, old = batch[1] | {"case_run": str(UUID(int=1))}, batch[2] | {"claim_no": 99}
    before = {run.id: run.lease_until for run in lab.runs(evaluation)}
    assert worker.heartbeats(*batch, unknown, old) == [key(batch[0]), key(unknown), key(old)]
    renewed = [run for run in lab.runs(evaluation) if run.lease_until != before[run.id]]
    assert {str(run.id) for run in renewed} == {one["case_run"] for one in batch[1:]}
    assert lab.worker().heartbeats(*batch) == list(map(key, batch)), "another's token"


def key(lease: Json) -> tuple[str, int]:
    return lease["case_run"], lease["claim_no"]


def test_a_heartbeat_waits_for_nobody_who_has_a_case(invoked: tuple[str, FakeWorker], lab: Lab) -> None:
    """Who ends an evaluation holds its cases in an order of its own."""
    evaluation, worker = invoked
    batch = cases(worker.take())
    before = {str(run.id): run.lease_until for run in lab.runs(evaluation)}
    with unit_of_work(lab.sessions) as ending:
        held = select(CaseRun).where(CaseRun.id == UUID(batch[1]["case_run"])).with_for_update()
        ending.execute(text("SET LOCAL idle_in_transaction_session_timeout = '5s'"))  # ends who waits for it
        ending.scalars(held).one()
        assert worker.heartbeats(*batch) == []
    after = {str(run.id): run.lease_until for run in lab.runs(evaluation)}
    assert {case for case in after if after[case] != before[case]} == {
        batch[0]["case_run"],
        batch[2]["case_run"],
    }


def test_a_lost_worker_s_cases_come_one_by_one_so_that_a_second_fault_is_their_own(
    invoked: tuple[str, FakeWorker], lab: Lab, team: Entrant
) -> None:
    evaluation, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one) == 204
    batch = cases(worker.take())
    for one in batch[10:]:
        assert finish(worker, one) == 204
    assert lab.expire(*batch[:10]) == lab.unpark() == 10
    for lost in batch[:10]:
        alone = worker.take()
        assert (alone["case_run"], alone["mode"], alone["more"]) == (lost["case_run"], "invoke", [])
        assert finish(worker, alone) == 204
    rest = worker.take()
    assert len(cases(rest)) == 7
    assert {run.faults for run in lab.runs(evaluation)} == {0, 1}


def test_a_batch_takes_no_longer_than_one_case_may(
    invoked: tuple[str, FakeWorker], fomo26: Challenge
) -> None:
    _, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one, seconds=fomo26.limits.seconds_per_case / 4) == 204
    assert len(cases(worker.take())) == 4


def test_a_repeat_that_differs_sends_every_invoked_case_back_to_fresh_containers(
    invoked: tuple[str, FakeWorker], lab: Lab, team: Entrant
) -> None:
    evaluation, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one) == 204
    batch = cases(worker.take())
    for one in batch[:10]:
        assert finish(worker, one, repeat_agrees=True if one["repeat"] else None) == 204
    assert finish(worker, batch[10], repeat_agrees=False) == 204
    for one in batch[11:]:
        assert finish(worker, one) == 204, "what was under way is thrown away without a complaint"
    runs = lab.runs(evaluation)
    assert {run.status for run in runs} == {"waiting"}
    assert {run.verdict for run in runs} == {run.output for run in runs} == {None}
    with unit_of_work(lab.sessions) as session:
        found = session.get_one(Evaluation, UUID(evaluation))
        assert (found.fresh_only, found.remaining, found.seconds) == (True, 60, 0)
    again = worker.take()
    assert (again["mode"], again["more"], again["repeat"]) == ("fresh", [], False)
    assert worker.release(again) == 204
    assert worker.drain() == 60
    assert team.evaluation(evaluation)["status"] == "scoring"


def test_an_image_that_does_not_serve_as_it_says_gets_fresh_containers(
    invoked: tuple[str, FakeWorker], lab: Lab, admin: Any
) -> None:
    evaluation, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one, receipt={}) == 204
    assert worker.take()["mode"] == "fresh"
    modes = admin.http.get(f"/admin/evaluations/{evaluation}/summary").json()["modes"]
    assert (modes["unserved"], modes.get("invoke", 0)) == (3, 0)


def test_some_cases_that_are_not_served_change_nothing_for_the_others(
    invoked: tuple[str, FakeWorker], lab: Lab
) -> None:
    _, worker = invoked
    for one in cases(worker.take()):
        assert finish(worker, one) == 204
    batch = cases(worker.take())
    assert len(batch) == 50
    for number, one in enumerate(batch):
        assert finish(worker, one, receipt={"invoke": number > 9}) == 204
    assert worker.take()["mode"] == "invoke"


def test_a_worker_that_ran_one_case_fresh_cannot_send_others_back(
    invoked: tuple[str, FakeWorker], lab: Lab
) -> None:
    evaluation, worker = invoked
    done = cases(worker.take())
    for one in done:
        assert finish(worker, one) == 204
    other = lab.worker()
    own = other.take()
    assert finish(other, own, repeat_agrees=False) == 204
    assert sum(run.status == "done" for run in lab.runs(evaluation)) == len(done) + 1


def test_the_repeated_cases_are_drawn_by_the_servers_key(lab: Lab, team: Entrant) -> None:
    found = {}
    for number in (1, 2, 5, 41, 400):
        lab.dataset(cases=number)
        evaluation = UUID(team.submit(track="method", phase="validation"))
        with unit_of_work(lab.sessions) as session:
            row = session.get_one(Evaluation, evaluation)
            found[number] = batches.repeated(session, row, lab.settings)
            assert found[number] == batches.repeated(session, row, lab.settings)
            row.status = "cancelled"
        assert found[number] <= set(range(number))
    assert {number: len(drawn) for number, drawn in found.items()} == {1: 1, 2: 2, 5: 2, 41: 3, 400: 20}


def test_an_evaluation_that_takes_too_long_is_rejected_and_its_running_cases_are_told(
    lab: Lab, team: Entrant, amend: Amend
) -> None:
    amend(seconds_per_evaluation=100.0)
    evaluation, worker, other = team.submit(), lab.worker(), lab.worker()
    assert finish(worker, worker.take(), seconds=60.0) == 204
    under_way = other.take()
    assert finish(worker, worker.take(), seconds=60.0) == 204
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == ("rejected", "evaluation_too_long")
    assert "100 s" in seen["reason"]
    assert other.heartbeat(under_way) == 409
    assert worker.lease() is None
    assert team.quota()["left"] == 3
    assert seen["verdicts"] == {}, "when it was stopped is the container's own choice"


@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_failures_in_a_row_end_an_evaluation_in_whatever_order_they_come(
    lab: Lab, team: Entrant, amend: Amend, order: str
) -> None:
    amend(stop_after_failures_in_a_row=4)
    lab.dataset(cases=12)
    evaluation, workers = team.submit(), [lab.worker() for _ in range(9)]
    for _ in range(3):
        assert workers[0].finish(workers[0].take()).status_code == 204
    held = [(worker, worker.take()) for worker in workers]
    failing = held[:3] + held[4:7]  # three, a valid one, three: not in a row
    for worker, lease in failing if order == "forwards" else failing[::-1]:
        assert finish(worker, lease, fault="timeout") == 204
    assert team.evaluation(evaluation)["status"] == "running"
    assert finish(*held[3], fault="exit_code") == 204
    seen = team.evaluation(evaluation)
    assert (seen["status"], seen["reason_code"]) == ("rejected", "failures_in_a_row")
    assert "4 cases in a row failed, most often by timeout" in seen["reason"]
    assert team.quota()["left"] == 3


def test_what_was_measured_is_kept_and_never_shown_of_hidden_cases(
    lab: Lab, team: Entrant, admin: Any
) -> None:
    evaluation, worker = team.submit(), lab.worker()
    said = {"cpu_seconds": 2.5, "gpu_memory_bytes": 7, "wait_seconds": 0.5, "peak_memory_bytes": 9}
    assert finish(worker, worker.take(), **said) == 204
    run = lab.runs(evaluation)[0]
    assert {key: getattr(run, key) for key in said} == said
    assert run.mode == "fresh"
    text = str(team.evaluation(evaluation))
    assert not any(key in text for key in (*said, "mode", "fresh_only"))
    shown = admin.http.get(f"/admin/evaluations/{evaluation}/cases").json()[0]
    assert {key: shown[key] for key in said} == said


def test_an_unfit_slot_gets_nothing_until_it_is_fit_again(lab: Lab, team: Entrant, admin: Any) -> None:
    evaluation = team.submit()
    only_slot(lab)
    worker = lab.worker("sick")
    address = f"/worker/slots/{worker.name}"
    why = "The canary's answer was wrong."
    assert worker.http.put(address, json={"unfit": why}).status_code == 204
    assert worker.lease() is None
    assert "takes no work at present" in team.evaluation(evaluation)["note"]
    seen = {one["name"]: one for one in admin.http.get("/admin/slots").json()}[worker.name]
    assert (seen["unfit"], seen["present"], seen["running"]) == (why, True, 0)
    assert lab.worker().lease() is not None, "another slot of another host"
    assert worker.http.put(address, json={"unfit": None}).status_code == 204
    assert worker.lease() is not None
    seen = {one["name"]: one for one in admin.http.get("/admin/slots").json()}[worker.name]
    assert (seen["unfit"], seen["running"], seen["evaluation"]) == (None, 1, evaluation)
    assert seen["gpu_model"] == "NVIDIA H200"


def test_admins_see_the_queue_and_put_an_evaluation_first(lab: Lab, team: Entrant, admin: Any) -> None:
    first, second = team.submit(), team.submit()
    only_slot(lab)
    assert admin.http.put(f"/admin/evaluations/{second}/priority", json={"priority": 7}).status_code == 204
    found = [one for one in admin.http.get("/admin/queue").json() if one["id"] in (first, second)]
    assert [(one["id"], one["priority"], one["status"]) for one in found] == [
        (second, 7, "queued"),
        (first, 0, "queued"),
    ]
    assert {(one["challenge"], one["task"], one["track"]) for one in found} == {(lab.slug, "task5", "open")}
    assert found[0]["cases_left"] == found[1]["cases_left"] > 0
    lab.worker().take()
    assert team.evaluation(second)["status"] == "running"
    too_much = admin.http.put(f"/admin/evaluations/{second}/priority", json={"priority": 1001})
    assert (too_much.status_code, too_much.headers["content-type"]) == (422, "application/problem+json")
    assert team.http.put(f"/admin/evaluations/{second}/priority", json={"priority": 9}).status_code == 403
    assert team.http.get("/admin/queue").status_code == 403
    unknown = UUID(int=1)
    assert admin.http.put(f"/admin/evaluations/{unknown}/priority", json={"priority": 1}).status_code == 404
    for odd in (True, "5", 1e3, None):
        said = admin.http.put(f"/admin/evaluations/{second}/priority", json={"priority": odd})
        assert said.status_code == 422, odd
    team.http.post(f"/evaluations/{first}/cancel")
    assert admin.http.put(f"/admin/evaluations/{first}/priority", json={"priority": 1}).status_code == 409


def test_a_runtime_that_no_slot_offers_is_named(lab: Lab, team: Entrant, amend: Amend) -> None:
    amend(runtime="runsc")
    evaluation = team.submit()
    only_slot(lab)
    assert lab.worker().lease() is None
    assert "the runtime runsc" in team.evaluation(evaluation)["note"]
    assert lab.worker(runtimes=["runc", "runsc"]).lease() is not None


def test_slot_time_is_charged_once_and_faults_of_ours_are_not(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    assert worker.release(worker.take(), "gpu_fault") == 204
    assert lab.unpark() == 1
    assert used(lab, team) is None
    assert worker.finish(worker.take()).status_code == 204
    once = used(lab, team)
    assert once is not None
    assert 0 < once < 60
    with unit_of_work(lab.sessions) as session:
        holding = select(func.count()).where(
            WorkerSlot.name == worker.name, WorkerSlot.charged_at.is_not(None)
        )
        assert session.scalar(holding) == 0


@pytest.mark.parametrize("days", [400, -400])
def test_a_team_that_was_long_idle_stops_nobody(lab: Lab, team: Entrant, days: int) -> None:
    """And neither does a clock that was wrong."""
    team.submit()
    worker = lab.worker()
    assert worker.finish(worker.take()).status_code == 204
    with unit_of_work(lab.sessions) as session:
        session.get_one(TeamUsage, UUID(team.team)).as_of = datetime.now(UTC) - timedelta(days=days)
    assert worker.finish(worker.take()).status_code == 204
    assert used(lab, team) is not None


def used(lab: Lab, team: Entrant) -> float | None:
    with unit_of_work(lab.sessions) as session:
        usage = session.get(TeamUsage, UUID(team.team))
        return None if usage is None else usage.seconds
