"""One slot of a real host: the cases that a lease API hands out, run in real containers."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from sandbox.engine import Engine
from server.wakeups import wake_run_workers
from tests.worker.lease_server import LeaseServer
from tests.worker.slots import LIMITS, MIB, Start, containers, until
from worker.embedded.data import CHECKOUT
from worker.run.host import HostFolder


def test_cases_are_run_measured_and_leave_nothing(
    lab: LeaseServer, start: Start, engine: Engine, folder: Path
) -> None:
    cases = [lab.add("answers", data=b"one scan")[0] for _ in range(4)]
    start()
    for said in lab.wait(*cases):
        assert (said.fault, said.warnings) == (None, [])
        assert said.output is not None
        assert 0 < said.seconds < 20
        assert 0 <= said.wait_seconds < 60
        receipt = said.receipt
        assert receipt["options"]["HostConfig"]["CpusetCpus"] == "0"
        assert receipt["cpu_seconds"] == said.cpu_seconds
        if engine.privileged:
            assert said.peak_memory_bytes > MIB
            assert 0 < said.cpu_seconds < 20
    assert sum(lab.fetched.values()) == 1, "an input is fetched once per host"
    until(lambda: not any(containers(engine, case) for case in cases))
    until(lambda: not list((folder / "worker" / "scratch").glob("*/*")))


def test_the_next_case_is_leased_while_one_runs_and_no_more_than_one(lab: LeaseServer, start: Start) -> None:
    cases = [lab.add("sleeps-0.6")[0] for _ in range(5)]
    most = 0
    start()
    while len(lab.finished) < len(cases):
        most = max(most, lab.outstanding())
        time.sleep(0.01)
    assert 2 <= most <= 4, "one runs, one is ready, those before are settled"
    assert lab.leased[cases[3]] < lab.ended[cases[2]]
    first = LIMITS.seconds_per_case
    assert all(said.seconds < first for said in lab.wait(*cases))


def test_a_slot_that_is_told_to_wait_asks_again_when_it_may(lab: LeaseServer, start: Start) -> None:
    lab.not_now = 2
    cases = [lab.add("answers")[0] for _ in range(2)]
    begun = time.monotonic()
    start()
    assert [said.fault for said in lab.wait(*cases)] == [None, None], "without another wake-up"
    assert time.monotonic() - begun > 2, "a second each time, as the server says"


def test_a_slot_that_is_told_to_wait_stops_at_once(lab: LeaseServer, start: Start) -> None:
    lab.not_now = 1000
    runner = start()
    until(lambda: lab.not_now < 1000)
    runner.stop()
    asked = lab.not_now
    time.sleep(1.5)
    assert lab.not_now >= asked - 1


def test_containers_that_run_at_once_have_their_own_cores_and_share_the_memory(
    lab: LeaseServer, start: Start
) -> None:
    said = lab_options = lab.wait(*_packed(lab, start, "counts", "counts"))
    hosts = [one.receipt["options"]["HostConfig"] for one in lab_options]
    assert {host["CpusetCpus"] for host in hosts} == {"0", "1"}
    assert {host["Memory"] for host in hosts} == {64 * MIB}
    assert [one.receipt["packed"] for one in said] == [2, 2]
    assert all("alone_after" not in one.receipt for one in said)
    assert lab.slots[0].most == 2


def test_memory_that_was_short_beside_others_is_asked_for_again_alone(lab: LeaseServer, start: Start) -> None:
    for said in lab.wait(*_packed(lab, start, "eats-90", "eats-90")):
        assert said.fault is None
        assert said.receipt["packed"] == 2
        assert said.receipt["alone_after"] == "out_of_memory"
        assert said.receipt["options"]["HostConfig"]["Memory"] == 128 * MIB


def _packed(lab: LeaseServer, start: Start, *tracks: str) -> list[str]:
    cases = lab.add(*tracks)
    start()
    return cases


def test_a_valid_output_that_came_late_is_asked_for_once_more_alone(lab: LeaseServer, start: Start) -> None:
    (case,) = lab.add("until", data=str(time.time() + 8.6).encode(), seconds_per_case=6)
    start()
    (said,) = lab.wait(case)
    assert said.fault is None
    assert said.seconds < 6
    assert said.receipt["alone_after"] == "timeout"


def test_one_that_is_far_too_slow_gets_no_second_chance(lab: LeaseServer, start: Start) -> None:
    (case,) = lab.add("hangs", seconds_per_case=1)
    start()
    (said,) = lab.wait(case)
    assert said.fault == "timeout"
    assert said.seconds >= 1.45
    assert "alone_after" not in said.receipt


def test_a_slot_that_is_told_to_stop_ends_its_case_and_hands_back_what_it_took_ahead(
    lab: LeaseServer, start: Start
) -> None:
    cases = [lab.add("sleeps-1.5")[0] for _ in range(4)]
    runner = start()
    until(lambda: lab.outstanding() >= 2 and len(lab.finished) >= 1)
    runner.stop()
    until(lambda: lab.outstanding() == 0)
    assert set(lab.released.values()) <= {None}
    assert lab.leased.keys() == lab.finished.keys() | lab.released.keys()
    assert lab.finished.keys() | lab.released.keys() <= set(cases)


def test_a_slot_that_may_not_wait_hands_its_case_back_at_once(
    lab: LeaseServer, start: Start, engine: Engine
) -> None:
    (case,) = lab.add("hangs")
    runner = start(drain_seconds=0.2)
    until(lambda: "running" in containers(engine, case))
    runner.stop()
    until(lambda: case in lab.released, seconds=10)
    assert lab.released[case] is None
    until(lambda: not containers(engine, case))


def test_a_server_that_restarts_costs_no_case(lab: LeaseServer, start: Start) -> None:
    lab.failures, lab.fetch_failures = 2, 2
    (case,) = lab.add("answers", data=uuid.uuid4().bytes)
    start()
    (said,) = lab.wait(case)
    assert said.fault is None
    assert lab.released == {}
    assert lab.fetched[case] == 3


def test_a_result_waits_for_room_on_the_servers_disk(
    lab: LeaseServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.run.heartbeat._ASK_WHEN_FULL", 0.5)
    lab.full, lab.lease_seconds = 8, 2.0
    (case,) = lab.add("answers", data=uuid.uuid4().bytes)
    start()
    (said,) = lab.wait(case)
    assert said.fault is None, "longer than a server that does not answer is waited for"
    assert (lab.full, lab.released) == (0, {})


def test_a_slot_that_stops_while_it_asks_again_hands_back_without_a_fault(
    lab: LeaseServer, start: Start
) -> None:
    lab.fetch_failures = 1000
    (case,) = lab.add("answers", data=uuid.uuid4().bytes)
    runner = start()
    until(lambda: lab.fetched[case] >= 1)
    runner.stop_now()
    until(lambda: case in lab.released, seconds=10)
    assert lab.released[case] is None


def test_an_input_that_the_server_has_lost_is_not_asked_for_again(lab: LeaseServer, start: Start) -> None:
    (case,) = lab.add("answers", data=uuid.uuid4().bytes)
    del lab.inputs[case]
    start()
    until(lambda: case in lab.released)
    assert lab.released[case] == "input_missing"
    assert "500" in lab.details[case], "admins are told what the server answered"
    assert lab.fetched[case] == 1


def _wakes_up(redis_url: str, engine: Engine, case: str) -> bool:
    wake_run_workers(redis_url)
    return "running" in containers(engine, case)


def test_a_second_signal_hands_back_what_the_first_let_run(
    lab: LeaseServer, engine: Engine, folder: Path, image: str, redis_url: str
) -> None:
    HostFolder(folder / "worker").mark_warm(image)
    (case,) = lab.add("hangs")
    environment = {
        "PATH": os.environ["PATH"],
        "PROCTOR_SERVER_URL": lab.url,
        "PROCTOR_WORKER_TOKEN": "token",
        "PROCTOR_WORKER_DIR": str(folder / "worker"),
        "PROCTOR_SLOT_CPUSET": "0,1",
        "REDIS_URL": redis_url,
    }
    command = [sys.executable, "-m", "worker.run", "--name", f"slot-{uuid.uuid4().hex[:6]}"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: _wakes_up(redis_url, engine, case))
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert containers(engine, case) == ["running"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (folder / "worker.log").read_text()
        assert lab.released == {case: None}
        assert containers(engine, case) == []
    finally:
        process.kill()
        process.wait()


def test_a_case_whose_lease_is_lost_is_killed_and_forgotten(
    lab: LeaseServer, start: Start, engine: Engine
) -> None:
    lab.lease_seconds = 2.0
    (case,) = lab.add("hangs")
    start()
    until(lambda: "running" in containers(engine, case))
    lab.lost.add(case)
    until(lambda: not containers(engine, case), seconds=10)
    (other,) = lab.add("answers")
    until(lambda: not lab.waiting or bool(start()))
    lab.wait(other)
    assert case not in lab.finished
    assert case not in lab.released


def test_a_container_that_is_overdue_is_removed_by_any_slot_of_its_host(
    lab: LeaseServer, start: Start, engine: Engine, folder: Path
) -> None:
    (case,) = lab.add("hangs")
    start()
    until(lambda: "running" in containers(engine, case))
    other = start()
    other.reap()
    assert containers(engine, case) == ["running"]
    (deadline,) = (folder / "worker" / "scratch").glob(f"*/{case}-1/deadline")
    deadline.write_text("1.0")
    other.reap()
    until(lambda: case in lab.released)
    assert lab.released[case] == "worker_lost"
    until(lambda: not containers(engine, case))


def test_a_host_that_cannot_run_a_case_takes_none(
    lab: LeaseServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.run.readiness._LEAST_FREE", 2**60)
    monkeypatch.setattr("worker.run.readiness._PAUSE_AFTER_FAULT", 1.0)
    (case,) = lab.add("answers")
    start()
    time.sleep(4)
    assert case not in lab.leased
    monkeypatch.setattr(
        "worker.run.readiness._LEAST_FREE", 0
    )  # there is room again, and nobody wakes the slot
    (said,) = lab.wait(case)
    assert said.fault is None
