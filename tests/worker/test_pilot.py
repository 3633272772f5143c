"""A run worker without a broker, by itself and in a Slurm job: how it hears of work, ends, and is ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.facts import NO_IMAGE
from tests.worker.lease_server import LeaseServer, serving
from tests.worker.slots import CHALLENGE, LIMITS, until
from worker.embedded.data import CHECKOUT
from worker.run.bearer import REFUSED
from worker.run.polling import HELD_SECONDS

Child = subprocess.Popen[str]
Pilot = Callable[..., Child]
JOB = {
    "SLURM_JOB_ID": "17",
    "SLURMD_NODENAME": "n1",
    "SLURM_CPUS_ON_NODE": str(len(os.sched_getaffinity(0))),
    "SLURM_MEM_PER_NODE": "1024",
}
POD = {
    "PROCTOR_POD_NODE": "gpu-node-7",
    "PROCTOR_POD_CPUS": "1000",
    "PROCTOR_POD_MEMORY": str(2**30),
    "PROCTOR_POD_GPUS": "0",
}


@pytest.fixture
def lab() -> Iterator[LeaseServer]:
    with serving(LeaseServer(CHALLENGE, LIMITS, NO_IMAGE)) as lab:
        yield lab


@pytest.fixture
def pilot(lab: LeaseServer, tmp_path: Path) -> Iterator[Pilot]:
    """Starts a worker whose containers are waits; whatever is left at the end is killed."""
    children: list[Child] = []

    def start(*options: str, **changes: str) -> Child:
        environment = {
            "PATH": os.environ["PATH"],
            "DOCKER_HOST": f"unix://{tmp_path}/no-engine",
            "PROCTOR_SERVER_URL": lab.url,
            "PROCTOR_WORKER_TOKEN": "token",
            "PROCTOR_WORKER_DIR": str(tmp_path / "worker"),
            "STAND_IN_SECONDS": "0.1",
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.worker.stand_in", *options],
            cwd=CHECKOUT,
            env=environment | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def ended(child: Child, seconds: float = 60) -> tuple[int, str]:
    """The exit code, and what it said."""
    said, _ = child.communicate(timeout=seconds)
    return child.returncode, said


def test_a_worker_without_a_broker_is_woken_by_the_server(lab: LeaseServer, pilot: Pilot) -> None:
    pilot("--name", "run-1")
    until(lambda: lab.asked_to_wake >= 2)
    began = time.monotonic()
    lab.wait(*lab.add("sleeps-0.1"))
    assert time.monotonic() - began < HELD_SECONDS, "it was told, and did not look by the clock"


def test_of_a_server_that_knows_no_wake_ups_it_asks_by_the_clock(lab: LeaseServer, pilot: Pilot) -> None:
    lab.wakes = False
    pilot("--poll")
    until(lambda: len(lab.slots) >= 1)
    lab.wait(*lab.add("sleeps-0.1"))


def test_a_worker_ends_when_nothing_came_for_as_long_as_it_was_told(lab: LeaseServer, pilot: Pilot) -> None:
    cases = [*lab.add("sleeps-3"), *lab.add("sleeps-0.1")]
    code, said = ended(pilot("--until-idle", "2s"))
    assert code == 0, said
    assert lab.finished.keys() == set(cases), "a case that takes longer is no idleness"
    assert "No case came within 2 s" in said


def test_a_signal_lets_the_case_end_and_nothing_new_is_taken(lab: LeaseServer, pilot: Pilot) -> None:
    first, *others = [case for seconds in (2, 60, 60) for case in lab.add(f"sleeps-{seconds}")]
    child = pilot("--grace", "1m")
    until(lambda: first in lab.leased)
    child.send_signal(signal.SIGTERM)
    code, said = ended(child)
    assert code == 0, said
    assert lab.finished.keys() == {first}
    assert lab.outstanding() == 0
    assert set(lab.released.values()) <= {None}, "what was leased ahead goes back, and is nobody's fault"
    assert others[1] not in lab.leased


def test_what_does_not_end_within_the_grace_is_handed_back(lab: LeaseServer, pilot: Pilot) -> None:
    (case,) = lab.add("sleeps-300")
    child = pilot("--grace", "1s")
    until(lambda: case in lab.leased)
    child.send_signal(signal.SIGTERM)
    child.send_signal(signal.SIGTERM)  # Slurm sends it to the script and to the step
    code, said = ended(child)
    assert (code, lab.released) == (0, {case: None}), said


def test_a_worker_whose_token_is_refused_leaves_and_says_so(lab: LeaseServer, pilot: Pilot) -> None:
    lab.tokens = set()
    code, said = ended(pilot("--until-idle", "10m", **JOB))
    assert code == REFUSED
    assert "The token of slurm-n1-1 is not known to the server" in said


def test_a_span_that_is_none_is_said(pilot: Pilot) -> None:
    code, said = ended(pilot("--until-idle", "soon"))
    assert (code, said.strip()) == (2, "--until-idle: 'soon' is no span of time; write 90s, 10m or 1h.")


def test_a_job_offers_its_allocation_and_no_more(lab: LeaseServer, pilot: Pilot) -> None:
    code, said = ended(pilot("--until-idle", "1s", **JOB))
    assert code == 0, said
    offer = lab.slots[0]
    assert (offer.name, offer.cpus) == ("slurm-n1-1", len(os.sched_getaffinity(0)))
    assert offer.memory == (1024 - 256) * 2**20, "a part is the worker's own"


def test_an_allocation_smaller_than_it_claims_takes_no_case_and_admins_are_told(
    lab: LeaseServer, pilot: Pilot
) -> None:
    lab.add("sleeps-0.1")
    code, said = ended(pilot(**JOB | {"SLURM_CPUS_ON_NODE": "512"}))
    assert code == 2
    assert said.startswith("Slurm job 17 on n1 was given 512 CPUs, and may run on ")
    assert lab.unfit == {"slurm-n1-0": said.strip().replace("\n", " ")}
    assert lab.slots == [], "nothing was leased, so nobody's attempt is spent"


def test_a_job_has_a_slot_for_each_gpu_and_they_end_together(
    lab: LeaseServer, pilot: Pilot, tmp_path: Path
) -> None:
    tool = tmp_path / "bin/nvidia-smi"
    tool.parent.mkdir()
    rows = "\\n".join(f"GPU-{letter}, 1024, A card, 1.0" for letter in "abc")
    tool.write_text(f"#!/bin/sh\nprintf '{rows}\\n'\n")
    tool.chmod(0o755)
    lab.add("sleeps-4")
    path = f"{tool.parent}:{os.environ['PATH']}"
    gpus = {"CUDA_VISIBLE_DEVICES": "0,2", "SLURM_GPUS_ON_NODE": "2", "PATH": path}
    began = time.monotonic()
    code, said = ended(pilot("--until-idle", "2s", **JOB | {"SLURM_CPUS_ON_NODE": "2"}, **gpus))
    assert code == 0, said
    assert {(offer.name, offer.gpus) for offer in lab.slots} == {("slurm-n1-1", 1), ("slurm-n1-2", 1)}
    assert {offer.gpu_memory for offer in lab.slots} == {2**30}
    assert said.count("No case came") == 2
    assert time.monotonic() - began > 4, "the allocation is one: while one slot has a case, none is idle"


def test_a_job_that_is_put_back_hands_back_what_it_was_killed_with(lab: LeaseServer, pilot: Pilot) -> None:
    (case,) = lab.add("sleeps-300")
    child = pilot(**JOB)
    until(lambda: lab.fetched[case] > 0)
    child.kill()
    ended(child)
    assert lab.outstanding() == 1
    again = pilot("--until-idle", "1s", **JOB, SLURM_RESTART_COUNT="1")
    assert ended(again)[0] == 0
    assert lab.released == {case: None}, "it need not wait until the lease is over, and met no fault"
    assert {offer.name for offer in lab.slots} == {"slurm-n1-1"}, "the same slot"


def test_a_pod_is_a_slot_of_its_node_and_hands_back_what_it_cannot_end(
    lab: LeaseServer, pilot: Pilot
) -> None:
    (case,) = lab.add("sleeps-300")
    child = pilot("--until-idle", "10m", "--grace", "1s", **POD)
    until(lambda: case in lab.leased)
    child.send_signal(signal.SIGTERM)
    code, said = ended(child)
    assert (code, lab.released) == (0, {case: None}), said
    offer = lab.slots[0]
    assert (offer.name, offer.cpus, offer.memory) == ("pod-gpu-node-7-1", 1, 2**30 - 256 * 2**20)


def test_two_jobs_on_one_node_are_two_slots(lab: LeaseServer, pilot: Pilot) -> None:
    pilot(**JOB)
    until(lambda: len(lab.slots) > 0)
    pilot(**JOB | {"SLURM_JOB_ID": "18"})
    until(lambda: {offer.name for offer in lab.slots} == {"slurm-n1-1", "slurm-n1-2"})
