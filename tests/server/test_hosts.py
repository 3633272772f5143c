"""Run workers drain, are resumed, put away and doubted, and their tokens rotate without a gap."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, update

from contract.leases import DRAINING
from server.accounts.models import ApiToken
from server.accounts.tokens import LOCAL, create_worker_token
from server.database import unit_of_work
from server.evaluations.models import Evaluation
from server.evaluations.worker_models import WorkerSlot
from server.queue.slots import present_slots
from tests.server.conftest import Person
from tests.server.lab import Entrant, FakeWorker, Json, Lab
from tests.server.test_bases import MakeEntrant
from tests.server.test_slot_tokens import state, token_of


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
