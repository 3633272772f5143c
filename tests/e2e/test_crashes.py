"""A run worker that dies in the middle of a case, or is asked to stop: the scores are those of an undisturbed run."""

import os
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.e2e.habits import Bench
from tests.e2e.installation import Installation
from tests.e2e.people import Json, Person


@pytest.fixture(scope="session")
def undisturbed(bench: Bench) -> Json:
    bench.sent["undisturbed"] = bench.person.submitted({"task2": bench.honest}, track="slowly_undisturbed")
    ended = bench.ended("undisturbed")
    assert ended["status"] == "scored", ended
    return ended


def running_container(running: Installation, slot: str) -> str:
    """Waits until the run worker `slot` has a container under way; the container's name."""
    prefix = f"proctor-{(running.data / 'worker' / 'installation').read_text()}-{slot}-"
    command = ["docker", "ps", "--format", "{{.Names}}", "--filter", f"name={prefix}"]
    deadline = time.monotonic() + 60
    while not (names := subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()):
        assert time.monotonic() < deadline, f"{slot} runs nothing"
        time.sleep(0.1)
    return names[0]


def restarted(running: Installation, slot: str, old: int) -> int:
    """Waits until the supervisor has started the worker again; its new process id."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            new = running.worker(slot)
        except LookupError:
            new = old
        if new != old:
            return new
        time.sleep(0.2)
    raise AssertionError(f"{slot} was not started again")


def exists(container: str) -> bool:
    return subprocess.run(["docker", "inspect", container], capture_output=True).returncode == 0


def cases_of(admin: Person, evaluation: str) -> list[dict[str, Any]]:
    return list(admin.get(f"/admin/evaluations/{evaluation}/cases"))


def test_killing_a_run_worker_changes_no_score_and_loses_no_case(
    running: Installation, bench: Bench, undisturbed: Json, admin: Person
) -> None:
    bench.sent["killed"] = bench.person.submitted({"task2": bench.honest}, track="slowly_killed")
    container, victim = running_container(running, "run-1"), running.worker("run-1")
    os.kill(victim, signal.SIGKILL)
    ended = bench.ended("killed")
    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": 4}), ended
    assert ended["scores"] == undisturbed["scores"]
    cases = cases_of(admin, ended["id"])
    assert len(cases) == len({case["case"] for case in cases}) == 4
    assert {case["status"] for case in cases} == {"done"}
    claims = sorted(case["claim_no"] for case in cases)
    assert claims == [1, 1, 1, 2], "the interrupted case ran again, and only that one"
    assert sum(case["faults"] for case in cases) == 1
    quota = bench.person.quota("task2", track="slowly_killed")
    assert (quota["spent"], quota["reserved"]) == (1, 0)
    restarted(running, "run-1", victim)
    deadline = time.monotonic() + 30
    while exists(container) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not exists(container), "the orphan is removed"


def busy_slot(running: Installation) -> str:
    """Waits until any run worker has a container under way; the worker's name."""
    prefix = f"proctor-{(running.data / 'worker' / 'installation').read_text()}-run-"
    command = ["docker", "ps", "--format", "{{.Names}}", "--filter", f"name={prefix}"]
    deadline = time.monotonic() + 120
    while not (names := subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()):
        assert time.monotonic() < deadline, "nothing runs"
        time.sleep(0.1)
    return "run-" + names[0].removeprefix(prefix).split("-")[0]


def test_three_killed_workers_in_a_row_end_no_evaluation(
    running: Installation, bench: Bench, undisturbed: Json, admin: Person
) -> None:
    bench.sent["thrice"] = bench.person.submitted({"task2": bench.honest}, track="slowly_killed_thrice")
    for _ in range(3):
        slot = busy_slot(running)
        victim = running.worker(slot)
        os.kill(victim, signal.SIGKILL)
        restarted(running, slot, victim)
    ended = bench.ended("thrice")
    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": 4}), ended
    assert ended["scores"] == undisturbed["scores"]
    assert sum(case["faults"] for case in cases_of(admin, ended["id"])) >= 1
    assert admin.get("/admin/errors")["parked"] == []


def test_a_worker_that_is_asked_to_stop_finishes_its_case(
    running: Installation, bench: Bench, undisturbed: Json, admin: Person
) -> None:
    bench.sent["stopped"] = bench.person.submitted({"task2": bench.honest}, track="slowly_stopped")
    running_container(running, "run-2")
    worker = running.worker("run-2")
    os.kill(worker, signal.SIGTERM)
    restarted(running, "run-2", worker)
    ended = bench.ended("stopped")
    assert (ended["status"], ended["verdicts"]) == ("scored", {"valid": 4}), ended
    assert ended["scores"] == undisturbed["scores"]
    assert {(case["claim_no"], case["faults"]) for case in cases_of(admin, ended["id"])} == {(1, 0)}
