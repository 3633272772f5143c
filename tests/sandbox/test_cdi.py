"""A slot's GPU reaches its container in Podman, by its name of the Container Device Interface, and no other does.

The devices behind the names are the kernel's own null; NVIDIA's toolkit, which writes such names, is not tried here.
"""

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.verdicts import PlatformFault
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.gpu_seen import job, names, seen
from sandbox.jobs import Slot
from sandbox.podman_bounds import devices
from sandbox.run import run_case

ENGINES = ("podman",)
NULL = {"type": "c", "major": 1, "minor": 3}


@pytest.fixture
def named() -> Iterator[list[str]]:
    """Two GPUs that nobody else has, whose names are known to this machine's Podman while the test runs."""
    uuids = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    cards = [
        {"name": name, "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{number}", **NULL}]}}
        for number, name in enumerate(uuids)
    ]
    # Podman 4 looks nowhere else; a setting for other folders is newer.
    folder = Path("/etc/cdi")
    folder.mkdir(exist_ok=True)
    file = folder / f"proctor-{uuid.uuid4().hex}.json"
    file.write_text(json.dumps({"cdiVersion": "0.3.0", "kind": "nvidia.com/gpu", "devices": cards}))
    yield uuids
    file.unlink()
    with contextlib.suppress(OSError):  # somebody else's names are in it
        folder.rmdir()


def test_a_container_sees_the_gpu_of_its_slot_and_no_other(
    named: list[str], engine: Engine, tmp_path: Path
) -> None:
    assert seen(engine, named[1], tmp_path / "second") == ["nvidia1"]
    assert seen(engine, named[0], tmp_path / "first") == ["nvidia0"]
    assert names(run_case(engine, job(engine, Slot(), tmp_path / "none")).log) == []
    assert devices(named, Path("/")).level == "ok"


def test_a_gpu_without_a_name_is_a_fault_of_the_platform(
    named: list[str], engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(EngineFault) as caught:
        seen(engine, f"GPU-{uuid.uuid4()}", tmp_path)
    assert caught.value.fault is PlatformFault.GPU_FAULT
