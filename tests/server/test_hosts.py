"""Run workers drain, are resumed, put away and doubted, and their tokens rotate without a gap."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from contract.leases import DRAINING
from server.accounts.models import ApiToken
from server.accounts.tokens import LOCAL, create_worker_token
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.queue.claim import DRAINS
from server.queue.slots import present_slots
from tests.server.conftest import Admin, Person
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.test_bases import MakeEntrant
from tests.server.test_slot_tokens import state, token_of
from worker.run.config import RunConfig
from worker.run.lease_client import LeaseClient


def of(admin: Person, worker: UUID, retired: bool = False) -> Json | None:
    rows = admin.http.get("/admin/workers", params={"retired": retired}).json()
    return next((row for row in rows if row["id"] == str(worker)), None)


def act(admin: Person, worker: UUID, what: str, **body: object) -> Json:
    answer = admin.http.post(f"/admin/workers/{worker}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ask(worker: FakeWorker) -> tuple[int, str | None]:
    answer = worker.http.post("/worker/leases", json={"name": worker.name, **worker.offer})
    return answer.status_code, answer.headers.get(DRAINING)


def test_a_worker_that_drains_finishes_what_it_holds_and_gets_no_more(
    lab: Lab, entrant: MakeEntrant, admin: Person
) -> None:
    lab.dataset(cases=6)
    team: Entrant = entrant("Drained")
    team.submit()
    worker = lab.worker()
    held = worker.take()
    token, _ = token_of(lab, worker.name)
    assert act(admin, token, "drain", why="a new driver")["draining_since"] is not None
    act(admin, token, "drain")
    code, told = ask(worker)
    assert (code, told is not None and "resumed" in told) == (204, True)
    assert worker.heartbeat(held) == 204
    assert state(admin, worker.name) == ("draining", True)
    with lab.sessions() as session:
        assert worker.name not in [slot.name for slot in present_slots(session)]
    refused = admin.http.post(f"/admin/workers/{token}/retire", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "worker_holds_cases")
    assert worker.finish(held).status_code == 204
    assert state(admin, worker.name) == ("drained", True)
    events = admin.http.get("/admin/events", params={"subject": "worker", "id": str(token)}).json()["items"]
    assert [event["what"] for event in events].count("drains") == 1
    other = lab.worker()
    faulted = other.take()
    other.release(faulted, "engine_unavailable")
    lab.unpark()
    with unit_of_work(lab.sessions) as session:
        others = WorkerSlot.name.not_in((worker.name, other.name))
        session.execute(update(WorkerSlot).where(others).values(seen_at=func.now() - timedelta(hours=1)))
    assert other.take()["case_run"] == faulted["case_run"], "no case waits for a host that drains"
    act(admin, token, "resume")
    assert worker.lease() is not None

    act(admin, token, "drain", slot=worker.name)
    assert ask(worker)[0] == 204
    assert state(admin, worker.name)[0] == "draining"
    nowhere = admin.http.post(f"/admin/workers/{token}/drain", json={"slot": "elsewhere"})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "unknown_slot")
    act(admin, token, "resume")
    assert worker.lease() is not None


def test_a_worker_that_is_put_away_leaves_the_lists_and_keeps_its_history(lab: Lab, admin: Person) -> None:
    worker = lab.worker()
    assert worker.lease() is None
    token, _ = token_of(lab, worker.name)
    assert act(admin, token, "retire", why="sold")["retired_at"] is not None
    act(admin, token, "retire")
    assert of(admin, token) is None
    assert of(admin, token, retired=True) is not None
    assert worker.name not in [slot["name"] for slot in admin.http.get("/admin/slots").json()]
    assert worker.http.get("/worker/me").json()["code"] == "token_revoked"
    refused = admin.http.post(f"/admin/workers/{token}/rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "worker_revoked")
    with unit_of_work(lab.sessions) as session:
        create_worker_token(session, LOCAL)
    (own,) = [row for row in admin.http.get("/admin/workers").json() if row["name"] == LOCAL]
    refused = admin.http.post(f"/admin/workers/{own['id']}/rotate", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "local_worker")


def test_the_old_token_works_beside_the_new_one_until_its_time_is_over(lab: Lab, admin: Person) -> None:
    worker = lab.worker()
    assert worker.lease() is None
    token, _ = token_of(lab, worker.name)
    fresh = act(admin, token, "rotate", minutes=5)["token"]
    assert worker.http.get("/worker/me").status_code == 200
    assert state(admin, worker.name) == ("present", True)
    new = FakeWorker(lab.clients(fresh), worker.name, worker.offer)
    assert new.lease() is None
    row = of(admin, token)
    assert row is not None
    assert row["old_token_until"] is not None
    with unit_of_work(lab.sessions) as session:
        session.execute(update(ApiToken).where(ApiToken.id == token).values(old_hash_until=func.now()))
    assert worker.http.get("/worker/me").status_code == 401
    assert new.http.get("/worker/me").status_code == 200


def test_who_gave_wrong_answers_drains_and_what_it_answered_is_drafted(
    lab: Lab, entrant: MakeEntrant, admin: Person
) -> None:
    lab.dataset(cases=2)
    team = entrant("Doubted")
    evaluation = team.submit()
    worker, bystander = lab.worker(), lab.worker()
    assert worker.drain(fault=None) == 2
    token, _ = token_of(lab, worker.name)
    with unit_of_work(lab.sessions) as session:
        at = session.scalar(select(func.now()))
    assert at is not None
    late = admin.http.post(
        f"/admin/workers/{token}/suspect", json={"since": at.isoformat(), "why": "a warm GPU"}
    ).json()
    assert (late["answered"], late["drafts"]) == ([], [])
    found = act(admin, token, "suspect", until=at.isoformat(), why="a warm GPU")
    assert [row["evaluation"] for row in found["answered"]] == [evaluation]
    # it waits for its scores, so that nothing can be made anew yet; what is said names the challenge and why
    assert found["drafts"] == []
    assert found["others"][0].startswith(lab.slug)
    assert found["worker"]["draining_since"] is not None
    assert bystander.lease() is None
    with unit_of_work(lab.sessions) as session:
        session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(status="scored"))
    (draft,) = act(admin, token, "suspect", until=at.isoformat(), why="a warm GPU")["drafts"]
    assert (draft["challenge"], draft["state"], draft["plan"]["evaluations"]) == (lab.slug, "draft", 1)
    assert draft["scope"]["hosts"] == [str(token)]


def test_a_run_worker_says_in_its_log_that_it_drains_and_that_it_is_resumed(
    lab: Lab, admin: Person, served: tuple[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"host-{uuid4().hex[:8]}"
    with unit_of_work(lab.sessions) as session:
        token = create_worker_token(session, name)
    (row,) = [row for row in admin.http.get("/admin/workers").json() if row["name"] == name]
    told = {"server_url": served[0], "worker_token": token, "worker_dir": tmp_path}
    client = LeaseClient(RunConfig.model_validate(told), "run-1")
    client.lease()
    act(admin, UUID(row["id"]), "drain")
    assert (client.lease(), client.lease()) == (None, None)
    act(admin, UUID(row["id"]), "resume")
    client.lease()
    client.close()
    logged = capsys.readouterr().err
    assert (logged.count("slot_drains"), logged.count("slot_resumed")) == (1, 1)
    assert DRAINS in logged


def test_what_fits_no_slot_that_is_there_is_said_once_in_the_log_of_one_that_is_leased_nothing(
    lab: Lab, team: Entrant, served: tuple[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with unit_of_work(lab.sessions) as session:
        token = create_worker_token(session, f"host-{uuid4().hex[:8]}")
        session.execute(update(WorkerSlot).values(seen_at=func.now() - timedelta(hours=1)))
    told = {"server_url": served[0], "worker_token": token, "worker_dir": tmp_path}
    small = LeaseClient(RunConfig.model_validate(told | {"slot_cpus": 1, "slot_memory": 2**30}), "run-1")
    small.lease()
    assert "cases_fit_no_slot" not in capsys.readouterr().err, "nothing waits"
    evaluation = team.submit()

    def need(**what: object) -> None:
        with unit_of_work(lab.sessions) as session:
            session.execute(update(Evaluation).where(Evaluation.id == UUID(evaluation)).values(**what))

    def logged() -> str:
        assert (small.lease(), small.lease()) == (None, None)
        return capsys.readouterr().err

    need(needs_cpus=32, needs_memory=64 * 2**30, needs_gpus=1, needs_gpu_memory=0)
    said = logged()
    assert said.count("cases_fit_no_slot") == 1
    assert "they need 32 CPUs, 64 GiB of memory, 1 GPU; this one offers 1 CPU, 1 GiB of memory." in said
    assert evaluation not in said
    need(needs_cpus=1, needs_memory=2**30, needs_gpus=0, needs_runtime="runsc")
    said = logged()
    assert "wait for a runtime that no slot offers: they need runsc; this one has runc." in said
    assert "too small" not in said

    large = lab.worker(cpus=32, memory=64 * 2**30, gpus=1, runtimes=["runc", "runsc"])
    held = large.take()
    need(needs_cpus=32)
    assert "cases_fit_no_slot" not in logged(), "another slot that is there runs them"
    act_on = update(WorkerSlot).where(WorkerSlot.name == large.name)
    with unit_of_work(lab.sessions) as session:
        session.execute(act_on.values(seen_at=func.now() - timedelta(hours=1)))
    assert "they need 32 CPUs, 1 GiB of memory, the runtime runsc; this one" in logged()
    assert large.finish(held).status_code == 204
    small.close()


def test_a_slot_whose_host_is_examined_is_seen_from_the_first_minute(
    lab: Lab, admin: Person, served: tuple[str, object], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with unit_of_work(lab.sessions) as session:
        token = create_worker_token(session, f"host-{uuid4().hex[:8]}")
    told = {"server_url": served[0], "worker_token": token, "worker_dir": tmp_path}
    client = LeaseClient(RunConfig.model_validate(told), slot := f"run-{uuid4().hex[:8]}")

    def seen() -> Json:
        return next(one for one in admin.http.get("/admin/slots").json() if one["name"] == slot)

    client.report_examining()
    assert (seen()["state"], seen()["present"]) == ("being examined", True)
    assert "takes no case before its host has passed its checks, which run since" in seen()["warning"]
    # Only now: a run worker must not be given what the environment of these commands names.
    shown = request.getfixturevalue("command")("slots").output
    assert slot in shown
    assert "being examined" in shown
    with lab.sessions() as session:
        assert slot not in [one.name for one in present_slots(session)]
        worker = session.scalars(select(WorkerSlot.worker_id).where(WorkerSlot.name == slot)).one()
    client.report(None)
    assert (seen()["state"], seen()["warning"]) == ("present", None)
    client.report_examining()
    client.report("a check failed")
    client.report_examining()
    assert seen()["state"] == "unfit", "until it has passed"
    client.report(None)
    events = admin.http.get("/admin/events", params={"subject": "worker", "id": str(worker)}).json()["items"]
    assert [event["what"] for event in events if slot in event["what"]] == [f"slot {slot} unfit"]
    client.report_examining()
    assert client.lease() is None
    assert seen()["state"] == "present", "who asks for a case has passed"
    client.report_examining()
    long_ago = func.now() - timedelta(hours=1)
    with unit_of_work(lab.sessions) as session:
        mine = update(WorkerSlot).where(WorkerSlot.name == slot)
        session.execute(mine.values(examining_since=long_ago, seen_at=long_ago))
        session.execute(update(ApiToken).where(ApiToken.id == worker).values(issued_at=long_ago))
    assert seen()["state"] == "gone", "it was killed meanwhile"
    client.close()


def test_commands_do_the_same_and_ask_first(
    lab: Lab, entrant: MakeEntrant, admin: Person, command: Admin
) -> None:
    lab.dataset(cases=2)
    team = entrant("Commanded")
    evaluation = team.submit()
    worker = lab.worker()
    assert worker.drain(fault=None) == 2
    token, name = token_of(lab, worker.name)
    asked = command("drain-worker", name)
    assert (asked.exit_code, "gets no new case" in asked.output) == (1, True)
    assert command("drain-worker", name, "--wait", "--yes").exit_code == 0
    assert "drained" in command("workers").output
    assert command("resume-worker", name).exit_code == 0
    fresh = command("rotate-worker", name, "--minutes", 5, "--yes").output.splitlines()[0]
    assert FakeWorker(lab.clients(fresh), worker.name, worker.offer).lease() is None
    suspected = command("suspect", name, "--why", "a warm GPU", "--since", "1h", "--yes").output
    assert evaluation in suspected
    assert "drains" in suspected
    assert f"Nothing was drafted for {lab.slug}" in suspected
    assert command("retire-worker", name, "--wait", "--yes").exit_code == 0
    assert name not in command("workers").output
    assert "retired" in command("workers", "--retired").output
    assert "There is no run worker 'nobody'" in command("drain-worker", "nobody", "--yes").output
    assert evaluation in command("find", evaluation[:13]).output
    shown = command("show", str(token)).output
    assert "worker · " in shown
    assert "retired" in shown
    status = command("status")
    assert (status.exit_code, f"{lab.slug} validation" in status.output) == (0, True)
