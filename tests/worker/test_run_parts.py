"""The parts of a slot: leases that are renewed, turns among the slots of a host, inputs that stay, shares, pace."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from evaluator.spec import load_challenge
from evaluator.verdicts import Fault, PlatformFault, Verdict
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.jobs import CaseOutcome, Slot
from tests.facts import NO_IMAGE
from tests.worker.lease_server import LeaseServer, serving
from worker.embedded.data import CHECKOUT
from worker.run.ahead import Ahead, Pace, share
from worker.run.cases import Running, Workshop
from worker.run.config import RunConfig
from worker.run.heart import Heart
from worker.run.host import Host
from worker.run.inputs import InputCache
from worker.run.lease_client import LeaseClient
from worker.run.serve import halves
from worker.run.settle import Settler, counts

CHALLENGE = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml")


@pytest.fixture
def lab() -> Iterator[LeaseServer]:
    with serving(LeaseServer(CHALLENGE, CHALLENGE.limits, NO_IMAGE)) as lab:
        yield lab


@pytest.fixture
def client(lab: LeaseServer, tmp_path: Path) -> Iterator[LeaseClient]:
    config = RunConfig(server_url=lab.url, worker_token=SecretStr("token"), worker_dir=tmp_path)
    client = LeaseClient(config, "slot")
    yield client
    client.close()


@pytest.fixture
def heart(client: LeaseClient) -> Iterator[Heart]:
    heart = Heart(client)
    yield heart
    heart.stop()


def test_a_container_that_serves_several_waits_for_no_case_that_waits_for_its_end(tmp_path: Path) -> None:
    host, settled = Host(tmp_path), threading.Event()
    concluded = threading.Event()

    class Late(Settler):
        def _settle(self, running: Running, packed: int) -> None:
            concluded.wait()
            with host.alone():
                pass

        def _settle_served(self, running: Running, outcome: CaseOutcome, agrees: bool | None) -> None:
            settled.set()

    nothing = cast(Any, None)
    settler = Late(nothing, nothing, nothing, pause=lambda: None, most=1)
    settler.settle(nothing, packed=1)
    settler.settle(nothing, packed=1)
    with host.running():
        concluded.set()
        serving = threading.Thread(target=settler.settle_served, args=[nothing, nothing], daemon=True)
        serving.start()
        assert settled.wait(10)
    settler.finish()


def test_a_lease_brings_several_cases_each_with_a_claim_of_its_own(
    lab: LeaseServer, client: LeaseClient
) -> None:
    cases = lab.add("one", "two", "three")
    lease = client.lease()
    assert lease is not None
    assert [str(one.case_run) for one in lease.each()] == cases
    assert {one.image.digest for one in lease.each()} == {NO_IMAGE}
    assert all(one.more == () for one in lease.each())


def test_every_lease_is_renewed_at_a_quarter_of_its_length_until_it_is_let_go(
    lab: LeaseServer, client: LeaseClient, heart: Heart
) -> None:
    lab.lease_seconds = 0.8
    cases = lab.add("one", "two")
    lease = client.lease()
    assert lease is not None
    first, second = [heart.hold(one) for one in lease.each()]
    until(lambda: min(lab.renewed[case] for case in cases) >= 3)
    heart.let_go(first)
    before = lab.renewed[cases[0]]
    until(lambda: lab.renewed[cases[1]] >= 6)
    assert lab.renewed[cases[0]] <= before + 1
    assert lab.beats <= lab.renewed[cases[1]] + 1, "one call for all of them"
    lab.lost.add(cases[1])
    until(second.stop.is_set)
    assert not first.stop.is_set()
    assert heart.all_held() == []


def test_a_heart_beats_on_after_an_answer_that_is_none(
    lab: LeaseServer, client: LeaseClient, heart: Heart
) -> None:
    lab.lease_seconds = 4.0
    lab.nonsense = b"<html>under maintenance</html>"
    (case,) = lab.add("one")
    lease = client.lease()
    assert lease is not None
    held = heart.hold(lease)
    until(lambda: lab.beats >= 1)
    lab.nonsense = b""
    until(lambda: lab.renewed[case] >= 1)
    assert not held.stop.is_set()


def test_a_slot_that_hangs_loses_its_lease_by_itself(
    lab: LeaseServer, client: LeaseClient, heart: Heart
) -> None:
    lab.lease_seconds = 0.4
    (case,) = lab.add("one")
    lease = client.lease()
    assert lease is not None
    held = heart.hold(lease)
    held.until = time.monotonic() + 0.5
    until(held.stop.is_set)
    assert lab.renewed[case] >= 1


def test_an_engine_that_fails_while_the_next_case_is_prepared_gives_the_case_back(
    lab: LeaseServer, client: LeaseClient, heart: Heart, tmp_path: Path
) -> None:
    def engine() -> Engine:
        raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "it is away")

    config = RunConfig(server_url=lab.url, worker_token=SecretStr("token"), worker_dir=tmp_path)
    host, lent = Host(tmp_path), Slot()
    host.mark_warm(NO_IMAGE)
    workshop = Workshop(
        config, "one", host=host, client=client, engine=engine, lent=lent, admit=lambda limits: None
    )
    paused: list[bool] = []
    settler = Settler(workshop, client, heart, pause=lambda: paused.append(True), most=1)
    ahead = Ahead(
        workshop,
        client,
        heart,
        settler,
        lent=lent,
        memory=1,
        allowed=lambda: True,
        stopping=threading.Event(),
    )
    (case,) = lab.add("one")
    batch = ahead.take()
    settler.finish()
    assert batch is not None
    assert batch.cases == []
    assert lab.released == {case: "engine_unavailable"}
    assert lab.details == {case: "it is away"}
    assert paused
    assert heart.all_held() == []
    assert not list(host.scratch("one").iterdir())


def test_who_runs_alone_waits_for_the_others_and_lets_none_in_before_it(tmp_path: Path) -> None:
    hosts = [Host(tmp_path) for _ in range(3)]
    order: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with hosts[0].running(), hosts[1].running():
            entered.set()
            leave.wait(10)
            order.append("beside each other")

    def alone() -> None:
        with hosts[1].alone():
            order.append("alone")
            time.sleep(0.1)
            order.append("still alone")

    def late() -> None:
        with hosts[2].running():
            order.append("late")

    threads = [threading.Thread(target=one) for one in (first, alone, late)]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
        time.sleep(0.2)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["beside each other", "alone", "still alone", "late"]


def test_a_container_is_overdue_once_its_time_is_over_and_not_after_it_ended(tmp_path: Path) -> None:
    host = Host(tmp_path)
    os.close(host.take_slot("one"))
    for case, seconds in (("slow-1", -1.0), ("quick-1", 60.0), ("ended-1", -1.0)):
        (host.scratch("one") / case).mkdir(parents=True)
        host.note_deadline("one", case, seconds)
    host.forget_deadline("one", "ended-1")
    assert host.overdue() == [host.container_prefix("one") + "slow-1"]


class Downloads:
    """What was fetched, as from a server."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def add(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        self.files[name] = content
        return name

    def bring(self, cache: InputCache, name: str, target: Path) -> bytes:
        def fetch(part: Path) -> None:
            self.fetched.append(name)
            part.write_bytes(self.files[name])

        cache.bring(name, target, fetch)
        return target.read_bytes()


def test_an_input_is_fetched_once_and_stays_within_the_bound(tmp_path: Path) -> None:
    cache, downloads = InputCache(tmp_path / "cache", 250), Downloads()
    names = [downloads.add(bytes([number]) * 100) for number in range(3)]
    for turn, name in enumerate([names[0], names[1], names[0], names[2]]):
        assert downloads.bring(cache, name, tmp_path / str(turn)) == downloads.files[name]
        time.sleep(0.02)
    assert downloads.fetched == names, "the second use of the first one needed no download"
    kept = {path.name for path in (tmp_path / "cache").iterdir() if not path.suffix}
    assert kept == {names[0], names[2]}, "what was used longest ago went"
    assert (tmp_path / "1").read_bytes() == downloads.files[names[1]], "a case keeps what it has"


def test_two_slots_that_want_one_input_fetch_it_once(tmp_path: Path) -> None:
    downloads = Downloads()
    name = downloads.add(b"scan" * 1000)
    caches = [InputCache(tmp_path / "cache", 10**6) for _ in range(4)]
    threads = [
        threading.Thread(target=downloads.bring, args=[cache, name, tmp_path / str(number)])
        for number, cache in enumerate(caches)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert downloads.fetched == [name]


def test_a_download_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = InputCache(tmp_path / "cache", 10**6)

    def fetch(part: Path) -> None:
        part.write_bytes(b"half")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        cache.bring("0" * 64, tmp_path / "target", fetch)
    assert not (tmp_path / "target").exists()
    assert [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []


def outcome(fault: Fault | None, *, late: bool = False) -> CaseOutcome:
    return CaseOutcome(Verdict(fault, ""), None, 1.0, None, 0, False, "", {}, late=late)


@pytest.mark.parametrize(
    ("fault", "packed", "gpu", "stands"),
    [
        (None, 2, True, True),
        (Fault.TIMEOUT, 1, False, True),
        (Fault.TIMEOUT, 2, False, False),
        (Fault.OUT_OF_MEMORY, 2, False, False),
        (Fault.DISK_FULL, 2, False, False),
        (Fault.TOO_MANY_PROCESSES, 2, False, False),
        (Fault.EXIT_CODE, 2, False, True),
        (Fault.EXIT_CODE, 2, True, False),
        (Fault.OUTPUT_MISSING, 2, True, True),
    ],
)
def test_what_was_met_beside_other_containers_does_not_count(
    fault: Fault | None, packed: int, gpu: bool, stands: bool
) -> None:
    assert counts(outcome(fault), packed=packed, gpu=gpu) is stands


def test_a_late_answer_does_not_count_yet() -> None:
    assert not counts(outcome(Fault.TIMEOUT, late=True), packed=1, gpu=False)


def test_a_slot_is_dealt_out_in_cores_and_memory() -> None:
    assert share(Slot(cpuset="0-3"), 100, 1) == [None]
    shares = share(Slot(cpuset="0-4", gpu_uuid="GPU-1"), 100, 2)
    assert [one.cpuset for one in shares if one] == ["0,2,4", "1,3"]
    assert {(one.memory, one.gpu_uuid) for one in shares if one} == {(50, "GPU-1")}
    assert [one.cpuset for one in share(Slot(cpuset="7"), 100, 2) if one] == ["7", "7"]


def test_the_next_case_is_leased_as_late_as_it_can_be_ready_in_time() -> None:
    pace = Pace()
    assert pace.wait("one") is None, "nobody knows yet how long its cases take"
    pace.prepared(2.0)
    pace.ran("one", 60.0)
    pace.ran("one", 80.0)
    assert pace.wait("one") == pytest.approx(60 - 3 - 0.3)
    pace.ran("one", 1.0)
    assert pace.wait("one") == 0.0
    assert pace.wait("two") is None
    pace.ran("three", 50.0, 10)
    assert pace.wait("three", 20) == pytest.approx(20 * 5 - 3 - 0.3)


def until(happens: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_slot_is_halved_only_where_each_half_is_all_that_a_container_may_use() -> None:
    limits = CHALLENGE.limits.model_copy(update={"cpus": 1, "memory": 2**30})
    slot = Slot(cpuset="0,1")
    one, other = halves(slot, 2 * 2**30, limits) or (None, None)
    assert (one, other) == (Slot(cpuset="0", memory=2**30), Slot(cpuset="1", memory=2**30))
    assert halves(slot, 2 * 2**30 - 1, limits) is None
    assert halves(slot, 2 * 2**30, limits.model_copy(update={"cpus": 2})) is None
    assert halves(Slot(cpuset="0,1", gpu_uuid="GPU-1"), 2 * 2**30, limits) is None
    assert halves(Slot(), 2 * 2**30, limits) is None
