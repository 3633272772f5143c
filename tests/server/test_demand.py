"""What waits that a slot of a kind could run, as whoever adds slots asks."""

from typing import Any

from tests.server.conftest import Person
from tests.server.lab import GIB, Entrant, Lab

LARGE = {"cpus": 64, "memory": 256 * GIB, "gpus": 1, "gpu_memory": 80 * GIB}


def asked(admin: Person, **query: Any) -> dict[str, Any]:
    answer = admin.http.get("/admin/queue/demand", params=LARGE | query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_only_what_the_slot_could_run_counts(lab: Lab, team: Entrant, admin: Person) -> None:
    assert asked(admin) == {"evaluations": 0, "cases": 0, "slot_seconds": 0, "slots": 0}
    team.submit()
    found = asked(admin)
    assert (found["evaluations"], found["cases"]) == (1, 5)
    assert found["slot_seconds"] > 0
    assert asked(admin, memory=1)["cases"] == 0


def test_slots_that_are_there_count_but_for_those_of_one_worker(
    lab: Lab, team: Entrant, admin: Person
) -> None:
    team.submit()
    worker = lab.worker()
    worker.take()
    (slot,) = admin.http.get("/admin/slots").json()
    assert asked(admin)["slots"] == 1
    assert asked(admin)["cases"] == 5, "what runs is not done"
    assert asked(admin, besides=slot["worker"])["slots"] == 0
    refused = admin.http.get("/admin/queue/demand", params={**LARGE, "besides": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_worker")
