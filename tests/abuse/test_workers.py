"""Tried: a run worker whose host was broken into holds the queue, fills the disk and the database, reads what it can,
and says what cannot be.

Its token is all it has. What it may hold, keep and say is bounded; what it read and answered is known; and it can be
shut out with all of it put back.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from contract.receipts import MOST_RECEIPT
from server.accounts.models import ApiToken
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.evaluations import conduct
from server.evaluations.models import CaseRun, Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.events import Event
from server.queue.admission import forget_old_slots
from tests.server.conftest import Person
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.organizer import Admin

MakeEntrant = Callable[[str], Entrant]
BIG = 300 * 1024


def slot_of(lab: Lab, name: str) -> WorkerSlot:
    with lab.sessions() as session:
        return session.scalars(select(WorkerSlot).where(WorkerSlot.name == name)).one()


def refused(worker: FakeWorker) -> tuple[str, int]:
    """Why a slot is leased nothing, and when it is to ask again."""
    answer = worker.http.post("/worker/leases", json={"name": worker.name, **worker.offer})
    assert answer.status_code == 429, answer.text
    return answer.json()["code"], int(answer.headers["Retry-After"])


def a_moment_later(lab: Lab) -> None:
    """What was returned before is another moment's; pauses go on."""
    with unit_of_work(lab.sessions) as session:
        earlier = func.now() - timedelta(minutes=1)
        session.execute(update(WorkerSlot).values(struck_at=earlier, told_at=earlier))


# What it may hold


def test_a_slot_holds_two_cases_and_two_that_are_being_settled(lab: Lab, entrant: MakeEntrant) -> None:
    lab.dataset(cases=12)
    for number in range(3):
        evaluation = entrant(f"Team {number}").submit()
        with unit_of_work(lab.sessions) as session:
            session.get_one(Evaluation, UUID(evaluation)).cleared = True
    greedy = lab.worker(most=50, invoke=True)
    held = [greedy.take() for _ in range(4)]
    assert refused(greedy) == ("slot_is_full", 2)
    assert greedy.heartbeats(*held) == []
    assert refused(greedy)[0] == "slot_is_full", "however long it keeps them"
    assert greedy.finish(held[0]).status_code == 204
    assert greedy.lease() is not None


def test_many_requests_at_once_get_a_slot_no_more(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=40)
    with unit_of_work(lab.sessions) as session:
        session.get_one(Evaluation, UUID(team.submit())).cleared = True
    greedy, barrier = lab.worker(), threading.Barrier(8)

    def ask(_: int) -> int:
        barrier.wait()
        return greedy.http.post("/worker/leases", json={"name": greedy.name, **greedy.offer}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(ask, range(8)))
    assert answers == [200] * 4 + [429] * 4


def test_a_token_has_so_many_slots_and_those_long_gone_make_room(lab: Lab, team: Entrant) -> None:
    team.submit()
    first = lab.worker("first")
    with unit_of_work(lab.sessions) as session:
        create_worker_token(session, host_of(lab, first), slots=3, token=token_of(first))
    for number in range(2):
        slot = replace(first, name=f"invented-{number}")
        assert slot.release(slot.take()) == 204
    first.take()
    invented = replace(first, name="one-more")
    assert refused(invented) == ("too_many_slots", 60)
    put = invented.http.put("/worker/slots/one-more", json={"unfit": "nothing"})
    assert (put.status_code, put.json()["code"]) == (429, "too_many_slots")
    assert first.lease() is not None, "a slot that is there goes on"
    with unit_of_work(lab.sessions) as session:
        long_ago = func.now() - timedelta(hours=2)
        session.execute(update(WorkerSlot).values(seen_at=long_ago))
    invented.lease()
    with lab.sessions() as session:
        names = session.scalars(select(WorkerSlot.name)).all()
    assert set(names) == {first.name, "one-more"}, "what holds a case stays"


def host_of(lab: Lab, worker: FakeWorker) -> str:
    return str(worker.http.get("/worker/me").json()["name"])


def token_of(worker: FakeWorker) -> str:
    return worker.http.headers["Authorization"].removeprefix("Bearer ")


def test_slots_that_were_not_seen_for_a_month_are_forgotten(lab: Lab, team: Entrant) -> None:
    gone, there = lab.worker("gone"), lab.worker("there")
    for one in (gone, there):
        one.lease()
    with unit_of_work(lab.sessions) as session:
        old = func.now() - timedelta(days=31)
        session.execute(update(WorkerSlot).where(WorkerSlot.name == gone.name).values(seen_at=old))
        assert forget_old_slots(session) == 1
        assert session.scalars(select(WorkerSlot.name)).all() == [there.name]


@pytest.mark.parametrize(
    "lie",
    [
        {"cpus": 1e9},
        {"memory": 2**60},
        {"gpus": 10_000},
        {"gpu_memory": 2**50},
        {"most": 51},
        {"name": "x\x1b[2J"},
        {"name": "two\nlines"},
        {"name": "\u202eturned"},
        {"name": ""},
        {"runtimes": ["\x1b]0;x\x07"]},
        {"runtimes": ["r"] * 21},
    ],
)
def test_what_no_machine_can_have_is_refused(lab: Lab, lie: Json) -> None:
    worker = lab.worker()
    answer = worker.http.post("/worker/leases", json={"name": worker.name, **worker.offer, **lie})
    assert answer.status_code == 422, answer.text
    assert next(iter(lie)) in answer.json()["detail"]


# What it gives back


@pytest.mark.parametrize("how", ["handed_back", "abandoned", "faulted"])
def test_a_slot_that_gives_back_again_and_again_waits_longer_each_time(
    lab: Lab, team: Entrant, admin: Person, how: str
) -> None:
    team.submit()
    worker = lab.worker("liar")

    def give_back(lease: Json) -> None:
        if how == "abandoned":
            assert lab.expire(lease) == 1
        else:
            assert worker.release(lease, None if how == "handed_back" else "gpu_fault") == 204
        with unit_of_work(lab.sessions) as session:  # the case itself waits for nothing
            session.execute(
                update(CaseRun).where(CaseRun.status == "parked").values(status="waiting", not_before=None)
            )

    for _ in range(5):
        give_back(worker.take())
        a_moment_later(lab)
    pauses = []
    for _ in range(4):
        give_back(worker.take())
        code, _ = refused(worker)
        assert code == "slot_paused"
        row = slot_of(lab, worker.name)
        assert row.paused_until is not None
        assert row.struck_at is not None
        pauses.append((row.paused_until - row.struck_at).total_seconds())
        a_moment_later(lab)
        with unit_of_work(lab.sessions) as session:
            session.execute(update(WorkerSlot).values(paused_until=func.now() - timedelta(seconds=1)))
    assert pauses == [1, 2, 4, 8]
    assert conduct.pause_after(1000) == 120, "not for ever: a host that is mended works again"
    (shown,) = [one for one in admin.http.get("/admin/slots").json() if one["name"] == worker.name]
    assert (shown[how], shown["finished"]) == (9, 0)
    assert f"gave back 9 of 9 cases (9 {how.replace('_', ' ')})" in shown["warning"]
    with lab.sessions() as session:
        told = session.scalars(
            select(Event.what).where(Event.what.contains(f"slot {worker.name} paused"))
        ).all()
    assert len(told) == 4


def test_a_host_that_dies_with_many_cases_is_not_held_up(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=30)
    team.submit()
    worker = lab.worker()
    for _ in range(3):
        leases = [worker.take() for _ in range(3)]
        assert lab.expire(*leases) == 3
        with unit_of_work(lab.sessions) as session:
            session.execute(update(CaseRun).where(CaseRun.status == "parked").values(status="waiting"))
        a_moment_later(lab)
    assert worker.lease() is not None


def test_what_a_slot_finishes_makes_up_for_what_it_gave_back(lab: Lab, team: Entrant) -> None:
    lab.dataset(cases=40)
    team.submit()
    worker = lab.worker()
    for _ in range(8):
        assert worker.finish(worker.take()).status_code == 204
        assert worker.finish(worker.take()).status_code == 204
        assert worker.release(worker.take()) == 204
        a_moment_later(lab)
    assert slot_of(lab, worker.name).strikes <= 2
    assert worker.lease() is not None


def test_a_case_that_is_held_for_longer_than_any_takes_is_seen(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    team.submit()
    worker = lab.worker("sitter")
    lease = worker.take()
    assert [one["warning"] for one in admin.http.get("/admin/slots").json()] == [None]
    with unit_of_work(lab.sessions) as session:
        begun = func.now() - timedelta(hours=3, minutes=50)
        session.execute(update(CaseRun).where(CaseRun.id == UUID(lease["case_run"])).values(started_at=begun))
    assert worker.heartbeat(lease) == 204
    (shown,) = admin.http.get("/admin/slots").json()
    assert shown["running"] == 1
    assert "holds a case for 230 min" in shown["warning"]


def test_what_a_slot_says_of_itself_does_not_fill_the_event_log(lab: Lab, team: Entrant) -> None:
    worker = lab.worker()
    worker.lease()
    address, count = (
        f"/worker/slots/{worker.name}",
        select(func.count()).where(Event.what.contains(worker.name)),
    )
    for told, events in ((func.now() + timedelta(hours=1), 0), (func.now() - timedelta(hours=1), 1)):
        with unit_of_work(lab.sessions) as session:
            session.execute(update(WorkerSlot).values(told_at=told))
            before = session.scalar(count) or 0
        assert worker.http.put(address, json={"unfit": "why"}).status_code == 204
        assert slot_of(lab, worker.name).unfit == "why", "what holds now is known all the same"
        with lab.sessions() as session:
            assert (session.scalar(count) or 0) - before == events
        with unit_of_work(lab.sessions) as session:
            session.execute(update(WorkerSlot).values(unfit=None))


# What it may keep and say


def test_a_lease_has_one_output_however_often_it_is_sent(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    digest = worker.output(lease, b"0.5\n")
    assert worker.output(lease, b"0.5\n") == digest, "the same again, as after a connection that broke"
    before = sorted(path.name for path in lab.settings.blobs.root.rglob("*") if path.is_file())
    for number in range(5):
        last = worker.output(lease, f"0.{number}1\n".encode() * 10)
    assert sorted(path.name for path in lab.settings.blobs.root.rglob("*") if path.is_file()) == before
    said = {"message": "", "seconds": 0.01, "output": last}
    assert worker.call("POST", lease, "finish", json=said).status_code == 204
    assert run_of(lab, lease).output == last, "the last one counts"


KNOWN_SECONDS = 1.2
"""After which a new token is known to be a run worker's: only these may send large bodies."""


def finished(worker: FakeWorker, lease: Json, **said: Any) -> None:
    """Finishes a case with a fault, saying this of it; nothing of it passes first."""
    body = {"fault": "exit_code", "message": "As said.", "seconds": 0.01} | said
    answer = replace(worker, sessions=None).call("POST", lease, "finish", json=body)
    assert answer.status_code == 204, answer.text


def run_of(lab: Lab, lease: Json) -> CaseRun:
    with lab.sessions() as session:
        return session.get_one(CaseRun, UUID(lease["case_run"]))


@pytest.mark.parametrize(
    "receipt",
    [
        {"x": "y" * BIG},
        {str(number): number for number in range(20_000)},
        {"list": list(range(100_000))},
        {"k" * 70_000: 1},
        {"t": ["\u0001" * 100] * 1000},
    ],
)
def test_a_receipt_is_small_whatever_is_sent(lab: Lab, team: Entrant, receipt: Json) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    time.sleep(KNOWN_SECONDS)
    finished(worker, lease, receipt={"invoke": True, **receipt})
    run = run_of(lab, lease)
    assert run.verdict == "exit_code", "the verdict is kept"
    assert run.receipt is not None
    assert len(json.dumps(run.receipt, ensure_ascii=False).encode()) <= MOST_RECEIPT
    assert run.receipt["invoke"] is True


def test_a_receipt_is_shallow_and_its_values_can_be_kept(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    text = '{"fault": "exit_code", "message": "m\\ud800\\u0000", "seconds": 0.01, "log": "\\udfff\\u0000", "receipt": '
    text += '{"n": NaN, "i": Infinity, "s": "\\ud800\\u0000", "\\ud800k": 1, "big": 1' + "0" * 400 + "}}"
    params = {"claim_no": lease["claim_no"]}
    address = f"/worker/leases/{lease['case_run']}/finish"
    answer = worker.http.post(
        address, params=params, content=text, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 204, answer.text
    run = run_of(lab, lease)
    assert run.receipt == {"n": None, "i": None, "s": "\ufffd\ufffd", "\ufffdk": 1, "big": None}
    assert (run.message, run.log) == ("m\ufffd\ufffd", "\ufffd\ufffd")
    other = worker.take()
    finished(worker, other, receipt={"deep": deep})
    assert str(run_of(lab, other).receipt).count("[") < 10


def test_a_log_is_as_long_as_the_challenge_says(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    time.sleep(KNOWN_SECONDS)
    finished(worker, lease, log="x" * 900_000 + "the end")
    log = run_of(lab, lease).log
    assert log is not None
    assert log.endswith("the end")
    assert len(log) == 64 * 1024 + 4096


def test_figures_that_cannot_be_are_lowered_and_the_lie_is_kept(lab: Lab, team: Entrant) -> None:
    evaluation = team.submit()
    worker = lab.worker(memory=2**40, gpu_memory=2**38, cpus=64)
    lease = worker.take()
    lies = {"seconds": 1e9, "cpu_seconds": 1e9, "wait_seconds": 1e8}
    lies |= {"peak_memory_bytes": 2**62, "gpu_memory_bytes": 2**61}
    finished(worker, lease, **lies)
    run = run_of(lab, lease)
    for value in (run.seconds, run.wait_seconds):
        assert value is not None
        assert value < 600, "no longer than it was leased"
    assert run.cpu_seconds is not None
    assert run.cpu_seconds < 600 * 64
    assert (run.peak_memory_bytes, run.gpu_memory_bytes) == (2**40, 2**38)
    assert run.receipt == {"implausible": lies}
    assert team.evaluation(evaluation)["status"] == "running", "a lie about time uses up no budget"
    with lab.sessions() as session:
        told = session.scalars(select(Event.what).where(Event.what.contains(worker.name))).all()
    assert any("said what cannot be: cpu_seconds, gpu_memory_bytes" in one for one in told)


def test_honest_figures_stay_as_they_are(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    said = {"seconds": 0.25, "wait_seconds": 0.5, "cpu_seconds": 0.75, "peak_memory_bytes": 1000}
    finished(worker, lease, **said, receipt={"exit_code": 1})
    run = run_of(lab, lease)
    assert {key: getattr(run, key) for key in said} == said
    assert run.receipt == {"exit_code": 1}


# What it may read, and what is known of it


def test_a_lease_reads_its_files_a_few_times(lab: Lab, team: Entrant) -> None:
    team.submit()
    worker = lab.worker()
    lease = worker.take()
    answers = [worker.call("GET", lease, "inputs/t1w") for _ in range(30)]
    codes = [one.status_code for one in answers]
    assert codes == [200] * 24 + [429] * 6, "8 times for each of one input, a layer and a configuration"
    assert answers[-1].json()["code"] == "read_too_often"
    assert worker.call("GET", lease, f"blobs/{team.image}").status_code == 429
    assert worker.release(lease) == 204
    assert worker.call("GET", worker.take(), "inputs/t1w").status_code == 200, "another lease has its own"


def test_an_admin_sees_what_a_token_has_read_and_since_when(lab: Lab, team: Entrant, admin: Person) -> None:
    team.submit()
    worker = lab.worker()
    leases = [worker.take() for _ in range(2)]
    for lease in leases:
        for _ in range(2):
            assert worker.call("GET", lease, "inputs/t1w").status_code == 200
    assert worker.call("GET", leases[0], f"blobs/{team.image}").status_code == 200
    row = row_of(admin, host_of(lab, worker))
    assert (row["cases_read"]["count"], row["cases_read"]["files"]) == (2, 4)
    assert row["cases_read"]["bytes"] == 4 * len(b"voxels of case 0")
    assert (row["images_read"]["count"], row["running"]) == (1, 2)
    read = admin.http.get(f"/admin/workers/{row['id']}/reads").json()
    (task,) = read["tasks"]
    assert (task["challenge"], task["phase"], task["task"], task["count"]) == (
        lab.slug,
        "validation",
        "task5",
        2,
    )
    with lab.sessions() as session:
        cases = {str(session.get_one(CaseRun, UUID(one["case_run"])).case_id) for one in leases}
    assert {one["id"] for one in read["read"] if one["subject"] == "case"} == cases
    assert "sub-" not in str(read)
    assert task["first_at"] <= task["last_at"]


def row_of(admin: Person, name: str) -> Json:
    (row,) = [one for one in admin.http.get("/admin/workers").json() if one["name"] == name]
    return dict(row)


def test_revoking_puts_everything_back_and_names_what_it_answered(
    lab: Lab, team: Entrant, entrant: MakeEntrant, admin: Person
) -> None:
    lab.dataset(cases=6)
    evaluation, other = team.submit(), entrant("Other").submit()
    liar, honest = lab.worker("liar"), lab.worker("honest")
    answered = liar.take()
    assert liar.finish(answered).status_code == 204
    assert honest.finish(honest.take()).status_code == 204
    held = [liar.take() for _ in range(3)]
    row = row_of(admin, host_of(lab, liar))
    before = len([one for one in both(lab, evaluation, other) if one.status == "waiting"])
    said = admin.http.delete(f"/admin/workers/{row['id']}")
    assert said.status_code == 200, said.text
    assert said.json()["put_back"] == 3
    (named,) = said.json()["answered"]
    assert (named["evaluation"], named["cases"], named["cases_of"]) == (answered["evaluation"], 1, 6)
    runs = both(lab, evaluation, other)
    assert len([one for one in runs if one.status == "waiting"]) == before + 3
    assert {one.faults for one in runs} == {0}
    for lease in held:
        for answer in (
            liar.call("GET", lease, "inputs/t1w"),
            liar.call("PUT", lease, "output", content=b"0.5\n"),
            liar.call("POST", lease, "finish", json={"fault": "timeout", "message": "", "seconds": 1}),
            liar.call("POST", lease, "release", json={}),
        ):
            assert answer.status_code == 401
    assert {honest.take()["case_run"] for _ in range(3)} & {one["case_run"] for one in held}
    again = admin.http.delete(f"/admin/workers/{row['id']}").json()
    assert (again["put_back"], len(again["answered"])) == (0, 1)
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    asked = admin.http.get(f"/admin/workers/{row['id']}/answered", params={"since": later})
    assert asked.json() == []


def both(lab: Lab, *evaluations: str) -> list[CaseRun]:
    return [run for one in evaluations for run in lab.runs(one)]


def test_revoking_while_its_slots_are_at_work_strands_nothing(
    lab: Lab, entrant: MakeEntrant, admin: Person
) -> None:
    lab.dataset(cases=12)
    evaluations = [entrant(f"Team {number}").submit() for number in range(3)]
    first = lab.worker()
    slots = [replace(first, name=f"{first.name}-{number}") for number in range(6)]
    started = threading.Event()

    def work(slot: FakeWorker) -> None:
        for _ in range(12):
            answer = slot.http.post("/worker/leases", json={"name": slot.name, **slot.offer})
            started.set()
            if answer.status_code != 200:
                return
            body = {"fault": "timeout", "message": "", "seconds": 0.01}
            slot.call("POST", answer.json(), "finish", json=body)

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(work, slot) for slot in slots]
        started.wait(30)
        row = row_of(admin, host_of(lab, first))
        assert admin.http.delete(f"/admin/workers/{row['id']}").status_code == 200
        for future in futures:
            future.result()
    assert admin.http.delete(f"/admin/workers/{row['id']}").status_code == 200
    assert not [one for one in both(lab, *evaluations) if one.status == "running"]


def test_what_one_token_holds_no_other_renews_or_finishes(lab: Lab, team: Entrant) -> None:
    team.submit()
    owner = lab.worker("same")
    thief = replace(lab.worker("thief"), name=owner.name)
    lease = owner.take()
    thief.lease()
    assert thief.heartbeat(lease) == 409
    assert thief.call("PUT", lease, "output", content=b"0.5\n").status_code == 409
    assert thief.call("GET", lease, "inputs/t1w").status_code == 409
    assert thief.release(lease) == 409
    assert owner.heartbeat(lease) == 204


def test_the_commands_show_and_shut_out(lab: Lab, team: Entrant, command: Admin) -> None:
    evaluation = team.submit()
    worker = lab.worker()
    assert worker.finish(lease := worker.take()).status_code == 204
    held = worker.take()
    assert worker.call("GET", held, "inputs/t1w").status_code == 200
    name = host_of(lab, worker)
    listed = command("workers")
    assert name in listed.output
    shown = command("workers", name, "--cases")
    assert shown.exit_code == 0
    for part in (f"{lab.slug} validation task5", evaluation, "1 finished", "1 case, 0.0 MB in 1 file"):
        assert part in shown.output, part
    assert command("workers", "nobody").exit_code == 1
    asked = command("revoke-worker", name)
    assert (asked.exit_code, "--yes" in asked.output) == (1, True)
    done = command("revoke-worker", name, "--yes")
    assert done.exit_code == 0
    assert f"{name}: token revoked, 1 case put back into the queue" in done.output
    assert evaluation in done.output
    assert lease["evaluation"] == evaluation
    assert worker.http.get("/worker/me").status_code == 401
    with lab.sessions() as session:
        token = session.scalars(select(ApiToken).where(ApiToken.name == name)).one()
    assert token.revoked_at is not None
