"""The parts of a slot: leases that are renewed, turns among the slots of a host, inputs that stay, shares, pace."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

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
from worker.run.answers import Answers
from worker.run.cases import LeasedCase
from worker.run.config import RunConfig
from worker.run.engine_connection import EngineConnection
from worker.run.executor import Executor
from worker.run.heartbeat import Heartbeat
from worker.run.host import GpuTaken, HostFolder
from worker.run.image_cache import ImageCache
from worker.run.input_cache import InputCache
from worker.run.lease_client import LeaseClient
from worker.run.pace import PrefetchPace
from worker.run.prefetch import Prefetch
from worker.run.readiness import Readiness
from worker.run.settle import Settler, counts
from worker.run.slots import halves, split

CHALLENGE = load_challenge(CHECKOUT / "challenges/fomo26/challenge.yaml")


@pytest.fixture
def lab() -> Iterator[LeaseServer]:
    with serving(LeaseServer(CHALLENGE, CHALLENGE.limits, NO_IMAGE)) as lab:
        yield lab


@pytest.fixture
def config(lab: LeaseServer, tmp_path: Path) -> RunConfig:
    return RunConfig(server_url=lab.url, worker_token=SecretStr("token"), worker_dir=tmp_path)


@pytest.fixture
def client(config: RunConfig) -> Iterator[LeaseClient]:
    client = LeaseClient(config, "slot")
    yield client
    client.close()


@pytest.fixture
def heartbeat(client: LeaseClient) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(client)
    yield heartbeat
    heartbeat.stop()


class Parts:
    """The parts of a slot that have no container; `connection` is how it reaches its engine."""

    def __init__(
        self, client: LeaseClient, heartbeat: Heartbeat, config: RunConfig, connection: EngineConnection
    ) -> None:
        self.host, self.stopping = HostFolder(config.worker_dir), threading.Event()
        self.executor = Executor(
            "one",
            host=self.host,
            client=client,
            connection=connection,
            inputs=InputCache(self.host.root / "inputs", config.input_cache),
            images=ImageCache(self.host, config.image_cache),
            whole=Slot(),
            admit=lambda limits: None,
        )
        self.readiness = Readiness(config.worker_dir, connection, self.stopping)
        self.answers = Answers(self.executor, client, heartbeat, self.readiness, leaving=threading.Event())
        self.prefetch = Prefetch(
            self.executor,
            client,
            heartbeat,
            self.answers,
            self.readiness,
            whole=Slot(),
            memory=1,
            stopping=self.stopping,
        )


class RunAlone:
    """Containers that each have to run once more, alone on the host, once `ended` is set."""

    def __init__(self, host: HostFolder) -> None:
        self.host, self.ended = host, threading.Event()

    def outcome(self, case: LeasedCase) -> CaseOutcome:
        self.ended.wait()
        return outcome(Fault.TIMEOUT, late=True) if case.started is None else outcome(None)

    def execute_alone(self, case: LeasedCase) -> None:
        with self.host.alone():
            case.started = time.monotonic()


def test_a_container_that_serves_several_waits_for_no_case_that_waits_for_its_end(
    lab: LeaseServer, client: LeaseClient, heartbeat: Heartbeat, config: RunConfig
) -> None:
    parts = Parts(client, heartbeat, config, EngineConnection())
    containers = RunAlone(parts.host)
    settler = Settler(containers, parts.answers, most=1)
    alone = lab.add("one", "two")
    (served,) = lab.add("three")
    leases = [lease for _ in range(2) for lease in (client.lease() or pytest.fail("none")).each()]
    first, second, third = (parts.answers.begin(heartbeat.hold(lease)) for lease in leases)
    assert first is not None
    assert second is not None
    assert third is not None
    settler.settle(first, packed=1)
    settler.settle(second, packed=1)
    with parts.host.running():
        containers.ended.set()
        settler.settle_served(third, outcome(None))
        lab.wait(served, seconds=10)
        assert not set(alone) & lab.finished.keys(), "a container runs beside them"
    settler.finish()
    for said in lab.wait(*alone, seconds=10):
        assert said.receipt["alone_after"] == "timeout"
    assert heartbeat.handles() == []
    assert not list(parts.host.scratch("one").iterdir())


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
    lab: LeaseServer, client: LeaseClient, heartbeat: Heartbeat
) -> None:
    lab.lease_seconds = 0.8
    cases = lab.add("one", "two")
    lease = client.lease()
    assert lease is not None
    first, second = [heartbeat.hold(one) for one in lease.each()]
    until(lambda: min(lab.renewed[case] for case in cases) >= 3)
    heartbeat.let_go(first)
    before = lab.renewed[cases[0]]
    until(lambda: lab.renewed[cases[1]] >= 6)
    assert lab.renewed[cases[0]] <= before + 1
    assert lab.beats <= lab.renewed[cases[1]] + 1, "one call for all of them"
    lab.lost.add(cases[1])
    until(second.stop.is_set)
    assert not first.stop.is_set()
    assert heartbeat.handles() == []


def test_the_heartbeat_goes_on_after_an_answer_that_is_none(
    lab: LeaseServer, client: LeaseClient, heartbeat: Heartbeat
) -> None:
    lab.lease_seconds = 4.0
    lab.nonsense = b"<html>under maintenance</html>"
    (case,) = lab.add("one")
    lease = client.lease()
    assert lease is not None
    handle = heartbeat.hold(lease)
    until(lambda: lab.beats >= 1)
    lab.nonsense = b""
    until(lambda: lab.renewed[case] >= 1)
    assert not handle.stop.is_set()


def test_a_slot_that_hangs_loses_its_lease_by_itself(
    lab: LeaseServer, client: LeaseClient, heartbeat: Heartbeat
) -> None:
    lab.lease_seconds = 0.4
    (case,) = lab.add("one")
    lease = client.lease()
    assert lease is not None
    handle = heartbeat.hold(lease)
    handle.must_end_in(0.5)
    until(handle.stop.is_set)
    assert lab.renewed[case] >= 1


class AnswersOnce(EngineConnection):
    """An engine that is away once it has been asked whether it is there."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    def engine(self) -> Engine:
        if self._asked:
            raise EngineFault(PlatformFault.ENGINE_UNAVAILABLE, "it is away")
        self._asked = True
        return super().engine()


def test_an_engine_that_fails_while_the_next_case_is_prepared_gives_the_case_back(
    lab: LeaseServer, client: LeaseClient, heartbeat: Heartbeat, config: RunConfig
) -> None:
    parts = Parts(client, heartbeat, config, AnswersOnce())
    parts.host.mark_warm(NO_IMAGE)
    (case,) = lab.add("one")
    batch = parts.prefetch.take()
    assert batch is not None
    assert batch.cases == []
    assert lab.released == {case: "engine_unavailable"}
    assert lab.details == {case: "it is away"}
    assert parts.readiness.rests()
    assert heartbeat.handles() == []
    assert not list(parts.host.scratch("one").iterdir())


def test_who_runs_alone_waits_for_the_others_and_lets_none_in_before_it(tmp_path: Path) -> None:
    hosts = [HostFolder(tmp_path) for _ in range(3)]
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
    host = HostFolder(tmp_path)
    os.close(host.take_slot("one"))
    for case, seconds in (("slow-1", -1.0), ("quick-1", 60.0), ("ended-1", -1.0)):
        (host.scratch("one") / case).mkdir(parents=True)
        host.note_deadline("one", case, seconds)
    host.forget_deadline("one", "ended-1")
    assert host.overdue() == [host.container_prefix("one") + "slow-1"]


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
    assert split(Slot(cpuset="0-3"), 100, 1) == [None]
    shares = split(Slot(cpuset="0-4", gpu_uuid="GPU-1"), 100, 2)
    assert [one.cpuset for one in shares if one] == ["0,2,4", "1,3"]
    assert {(one.memory, one.gpu_uuid) for one in shares if one} == {(50, "GPU-1")}
    assert [one.cpuset for one in split(Slot(cpuset="7"), 100, 2) if one] == ["7", "7"]


def test_the_next_case_is_leased_as_late_as_it_can_be_ready_in_time() -> None:
    pace, one, two, three = PrefetchPace(), *(UUID(int=number) for number in range(3))
    assert pace.wait(one) is None, "nobody knows yet how long its cases take"
    pace.prepared(2.0)
    pace.ran(one, 60.0)
    pace.ran(one, 80.0)
    assert pace.wait(one) == pytest.approx(60 - 3 - 0.3)
    pace.ran(one, 1.0)
    assert pace.wait(one) == 0.0
    assert pace.wait(two) is None
    pace.ran(three, 50.0, 10)
    assert pace.wait(three, 20) == pytest.approx(20 * 5 - 3 - 0.3)


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


def test_a_slot_tells_the_model_of_its_gpu_and_each_receipt_names_it(
    lab: LeaseServer, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\n[ $1 = -q ] && { echo 'CUDA Version  : 12.8'; exit; }\n"
        "echo 'GPU-0, 81559, NVIDIA H100, 570.1'; echo 'GPU-1, 143771, NVIDIA H200, 570.1'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    client = LeaseClient(config.model_copy(update={"slot_gpu": "GPU-1", "slot_gpu_memory": 2**37}), "slot")
    (case,) = lab.add("one")
    lease = client.lease()
    assert lease is not None
    client.finish(lease, outcome(None), None, wait_seconds=0.0)
    client.close()
    told = [(offer.gpu_model, offer.gpu_cuda, offer.gpu_driver) for offer in lab.slots]
    assert told == [("NVIDIA H200", "12.8", "570.1")]
    named = {"uuid": "GPU-1", "memory": 143771 * 2**20, "model": "NVIDIA H200", "driver": "570.1"}
    named["cuda"] = "12.8"
    assert lab.finished[case].receipt["gpu"] == named


def test_no_two_slots_of_a_host_have_one_gpu(tmp_path: Path) -> None:
    held = HostFolder(tmp_path).take_gpu("GPU-1")
    with pytest.raises(GpuTaken, match="GPU-1 is that of another slot on this host"):
        HostFolder(tmp_path).take_gpu("GPU-1")
    os.close(HostFolder(tmp_path).take_gpu("GPU-2"))
    os.close(held)
    os.close(HostFolder(tmp_path).take_gpu("GPU-1"))
