"""What a slot says of itself when it asks for a case."""

from typing import Any

from contract.cuda import told
from contract.leases import SlotOffer
from sandbox import disks
from sandbox.gpu import InstalledGpu
from worker.run.config import RunConfig

_MOST_NAME = 100


def offer_of(config: RunConfig, slot: str, gpu: InstalledGpu | None = None) -> SlotOffer:
    """What the slot of this name offers; `gpu`: its GPU as the driver tells, where it has one.

    Raises:
        pydantic.ValidationError: the name, or what the slot is said to have, is none that a server takes.
    """
    return SlotOffer(
        name=slot,
        cpus=config.slot_cpus,
        memory=config.slot_memory,
        gpus=1 if config.slot_gpu else 0,
        gpu_memory=config.slot_gpu_memory,
        most=config.most,
        # Between two cases the worker empties what the container may write to, and Apptainer keeps none.
        invoke=disks.supported() and config.engine != "apptainer",
        **({} if gpu is None else facts_of(gpu)),
    )


def facts_of(gpu: InstalledGpu) -> dict[str, Any]:
    """What an offer says of a GPU, by the names of its fields."""
    return {
        "gpu_model": gpu.model[:_MOST_NAME],
        "gpu_cuda": told(gpu.cuda),
        "gpu_driver": told(gpu.driver),
    }
