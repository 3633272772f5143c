"""What this machine offers to its run workers, dealt out so that they do not get into each other's way."""

import os
from dataclasses import dataclass

from sandbox.gpu import InstalledGpu, gpus

_FOR_CONTAINERS = 0.8  # of the memory; the rest is for the database, the server and the page cache


@dataclass(frozen=True)
class SlotShare:
    """One run worker's share: cores, memory in bytes, and a GPU if there is one."""

    cores: tuple[int, ...]
    memory: int
    gpu: InstalledGpu | None = None

    def environment(self) -> dict[str, str]:
        """The share as the settings of a run worker."""
        named = {
            "PROCTOR_SLOT_CPUS": str(len(self.cores)),
            "PROCTOR_SLOT_CPUSET": ",".join(map(str, self.cores)),
            "PROCTOR_SLOT_MEMORY": str(self.memory),
        }
        if self.gpu is not None:
            named |= {"PROCTOR_SLOT_GPU": self.gpu.uuid, "PROCTOR_SLOT_GPU_MEMORY": str(self.gpu.memory)}
        return named


def deal(workers: int) -> list[SlotShare]:
    """One slot per worker: cores and memory in equal shares, a GPU each while there are any.

    With fewer cores than workers, some share a core.
    """
    cores = sorted(os.sched_getaffinity(0))
    memory = int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _FOR_CONTAINERS)
    graphics = gpus()
    slots = []
    for number in range(workers):
        own = tuple(cores[number::workers]) or (cores[number % len(cores)],)
        slots.append(SlotShare(own, memory // workers, graphics[number] if number < len(graphics) else None))
    return slots
