"""`proctor-admin doctor --gpu`: each GPU of this host, a container that is given it, and a real computation on it."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sandbox import gpu_state
from sandbox.engine import Engine
from sandbox.faults import EngineFault
from sandbox.gpu import InstalledGpu, gpus
from sandbox.gpu_seen import seen
from worker.admin.findings import DoctorFinding, FindingState

_SECONDS = 180
_CLOSE = 1e-3
_PRODUCT = """
import json, torch
torch.manual_seed(0)
torch.backends.cuda.matmul.allow_tf32 = False
first, second = torch.randn(1024, 1024), torch.randn(1024, 1024)
there, here = (first.cuda() @ second.cuda()).cpu(), first @ second
print(json.dumps([torch.version.cuda, float((there - here).abs().max() / here.abs().max())]))
"""


def gpu_findings(engine_kind: str | None = None) -> list[DoctorFinding]:
    """What holds for each GPU of this host, and what was not checked. Takes seconds, and starts containers.

    `engine_kind` names the engine where it is not the usual one.
    """
    cards = gpus()
    if not cards:
        found = (
            "nvidia-smi names none; not checked: the driver, a container that is given a GPU, a computation"
        )
        remedy = "On a host with a GPU install NVIDIA's driver and its Container Toolkit."
        return [DoctorFinding("GPU", FindingState.WARN, found, remedy)]
    return [finding for card in cards for finding in _of_card(card, engine_kind)]


def _of_card(card: InstalledGpu, engine_kind: str | None) -> Iterator[DoctorFinding]:
    name = f"GPU {card.uuid}"
    why = gpu_state.ailing(card.uuid)
    if why is not None:
        yield DoctorFinding(name, FindingState.FAIL, f"{why} Not checked: a container, a computation.")
        return
    yield _facts(name, card)
    yield _container(name, card.uuid, engine_kind)
    yield _computation(name, card.uuid)


def _facts(name: str, card: InstalledGpu) -> DoctorFinding:
    said = gpu_state.facts(card.uuid)
    if isinstance(said, str):
        return DoctorFinding(name, FindingState.FAIL, said)
    persistence, mig = said["persistence_mode"], said["mig.mode.current"]
    found = (
        f"{card.model}, {card.memory / 2**30:.0f} GiB, driver {card.driver}, CUDA {card.cuda or 'unknown'}; "
        f"persistence {persistence}, ECC {said['ecc.mode.current']}, MIG {mig}"
    )
    if mig == "Enabled":
        remedy = f"A slot has a whole GPU: nvidia-smi -i {card.uuid} -mig 0"
        return DoctorFinding(name, FindingState.WARN, found, remedy)
    if persistence == "Disabled":
        remedy = "Each case waits for the driver to start: systemctl enable --now nvidia-persistenced"
        return DoctorFinding(name, FindingState.WARN, found, remedy)
    return DoctorFinding(name, FindingState.OK, found)


def _container(name: str, uuid: str, engine_kind: str | None) -> DoctorFinding:
    """Whether a container that is given this GPU sees it, and no other."""
    try:
        engine = Engine.connect(engine_kind)
        try:
            with tempfile.TemporaryDirectory(prefix="proctor-gpu-") as folder:
                Path(folder).chmod(0o711)
                found = seen(engine, uuid, Path(folder) / "case")
        finally:
            engine.close()
    except EngineFault as fault:
        remedy = "Install NVIDIA's Container Toolkit for this engine, and see its log."
        return DoctorFinding(f"{name} in a container", FindingState.FAIL, str(fault), remedy)
    if found == [uuid]:
        return DoctorFinding(f"{name} in a container", FindingState.OK, "it is seen, and no other")
    text = f"a container that was given it sees {', '.join(found) or 'none'}"
    remedy = "Look at the toolkit's /etc/nvidia-container-runtime/config.toml, or at the CDI specification."
    return DoctorFinding(f"{name} in a container", FindingState.FAIL, text, remedy)


def _computation(name: str, uuid: str) -> DoctorFinding:
    """A product of two matrices, on this GPU and on the processor."""
    subject = f"{name} computes"
    if importlib.util.find_spec("torch") is None:
        remedy = "Install PyTorch beside this program (make torch) to have it checked."
        return DoctorFinding(subject, FindingState.WARN, "not checked: there is no torch", remedy)
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": uuid}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PRODUCT],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return DoctorFinding(subject, FindingState.FAIL, f"a product took more than {_SECONDS} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return DoctorFinding(subject, FindingState.FAIL, f"a product failed: {last[:300]}")
    cuda, apart = json.loads(done.stdout)
    found = f"a product of two matrices is within {apart:.1e} of the processor's (torch for CUDA {cuda})"
    return DoctorFinding(subject, FindingState.OK if apart < _CLOSE else FindingState.FAIL, found)
