"""Which GPUs a program in a container sees, under the options of a real case whose slot has one."""

import secrets
import uuid as uuids
from pathlib import Path

from evaluator.spec import Task
from sandbox import conformance
from sandbox.conformance import CALL, PREFIX
from sandbox.engine import Engine
from sandbox.jobs import CaseJob, Slot
from sandbox.run import run_case

# The driver tells the number of each GPU's device, and containers may see more of what it tells than of devices.
PROGRAM = """
import os
devices = [name for name in os.listdir("/dev") if name.startswith("nvidia") and name[6:].isdecimal()]
top, known = "/proc/driver/nvidia/gpus", {}
for folder in os.listdir(top) if os.path.isdir(top) else ():
    with open(os.path.join(top, folder, "information")) as file:
        told = dict(line.partition(":")[::2] for line in file)
    known["nvidia" + told.get("Device Minor", "").strip()] = told.get("GPU UUID", "").strip()
print("sees:", *sorted(known.get(device) or device for device in devices))
"""
"""What is run in the container: it prints the GPUs' numbers, or the name of a device that the driver has none for."""
_MARK = "sees:"


def job(engine: Engine, slot: Slot, scratch: Path, program: str = PROGRAM) -> CaseJob:
    """A case that runs `program`, in Python, in the image of the conformance suite; it has no input of note.

    Raises:
        EngineFault: the image cannot be made, or the engine does not answer.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    nothing = scratch / "nothing.txt"
    nothing.write_text("")
    task = Task.model_validate(
        {
            "title": "GPU",
            "inputs": [{"key": "nothing", "flag": "--nothing", "file": nothing.name}],
            "call": [CALL[0], "-I", "-S", "-B", "-c", program],
            "output": {"kind": "number"},
        }
    )
    return CaseJob(
        name=f"{PREFIX}{uuids.uuid4()}-0",
        image=conformance.image(engine),
        task=task,
        task_name="gpu",
        track="gpu",
        inputs={"nothing": nothing},
        pseudonym=secrets.token_hex(8),
        limits=conformance.limits("compatible", slot.runtime),
        slot=slot,
        scratch=scratch / "run",
    )


def seen(engine: Engine, uuid: str, scratch: Path) -> list[str]:
    """What a container sees that was given this GPU; `[uuid]` is as it should be. scratch: a folder for this alone.

    Raises:
        EngineFault: it is given none, the GPU fails, or the engine does not answer.
    """
    return names(run_case(engine, job(engine, Slot(gpu_uuid=uuid), scratch)).log)


def names(log: str) -> list[str]:
    """What `PROGRAM` printed; where it did not run, what was said instead."""
    said = log.strip()
    return said.removeprefix(_MARK).split() if said.startswith(_MARK) else [said[-300:] or "nothing was said"]
