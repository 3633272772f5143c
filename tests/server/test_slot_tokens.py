"""A slot whose worker is not let in any more says so at once, and counts no longer as present."""

from uuid import UUID

from sqlalchemy import select

from server.accounts.models import ApiToken
from server.accounts.tokens import create_worker_token
from server.database import unit_of_work
from server.evaluations.worker_models import WorkerSlot
from server.queue.slots import present_slots
from tests.server.conftest import Person
from tests.server.lab import Lab


def token_of(lab: Lab, slot: str) -> tuple[UUID, str]:
    """Id and name of the token of the worker that has the slot."""
    with lab.sessions() as session:
        query = select(ApiToken.id, ApiToken.name).join(WorkerSlot, WorkerSlot.worker_id == ApiToken.id)
        found = session.execute(query.where(WorkerSlot.name == slot)).one()
        return found.id, found.name


def state(admin: Person, slot: str) -> tuple[str, bool]:
    (found,) = [one for one in admin.http.get("/admin/slots").json() if one["name"] == slot]
    return found["state"], found["present"]


def present(lab: Lab) -> list[str]:
    with lab.sessions() as session:
        return [one.name for one in present_slots(session)]


def test_a_revoked_token_shows_at_once(lab: Lab, admin: Person) -> None:
    worker = lab.worker()
    assert worker.lease() is None
    assert state(admin, worker.name) == ("present", True)
    token, _ = token_of(lab, worker.name)
    assert admin.http.delete(f"/admin/workers/{token}").status_code == 200
    assert state(admin, worker.name) == ("token revoked", False)
    assert worker.name not in present(lab)
    refused = worker.http.get("/worker/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "token_revoked")


def test_a_worker_that_comes_back_after_its_token_was_revoked_is_one_slot(lab: Lab, admin: Person) -> None:
    worker = lab.worker()
    assert worker.lease() is None
    token, name = token_of(lab, worker.name)
    assert admin.http.delete(f"/admin/workers/{token}").status_code == 200
    with unit_of_work(lab.sessions) as session:
        fresh = create_worker_token(session, name)
    assert state(admin, worker.name) == ("token revoked", False)
    worker.http.headers["Authorization"] = f"Bearer {fresh}"
    assert worker.lease() is None
    assert state(admin, worker.name) == ("present", True)
    assert worker.name in present(lab)


def test_a_replaced_token_shows_until_the_worker_comes_with_the_new_one(lab: Lab, admin: Person) -> None:
    worker = lab.worker()
    assert worker.lease() is None
    _, name = token_of(lab, worker.name)
    with unit_of_work(lab.sessions) as session:
        fresh = create_worker_token(session, name)
    assert state(admin, worker.name) == ("token replaced", False)
    assert worker.name not in present(lab)
    worker.http.headers["Authorization"] = f"Bearer {fresh}"
    assert worker.lease() is None
    assert state(admin, worker.name) == ("present", True)
    with unit_of_work(lab.sessions) as session:  # the same one again, as each start of the platform brings it
        assert create_worker_token(session, name, token=fresh) == fresh
    assert state(admin, worker.name) == ("present", True)
