"""What a slot gives to its containers: cores, a GPU, a runtime, and a user that no other slot here has."""

import fcntl
from dataclasses import replace

from evaluator.spec import Limits
from sandbox.jobs import Slot
from sandbox.options import cores
from worker.run.config import RunConfig
from worker.run.host import PREFIX, HostFolder

_FIRST, _COUNT = 61_000, 184
"""User numbers that neither distributions nor systemd give to anybody: 61000 to 61183."""


def whole_slot(config: RunConfig, host: HostFolder, slot: str) -> Slot:
    """What the slot `slot` of this host gives to a container that it runs alone."""
    return Slot(
        cpuset=config.slot_cpuset,
        gpu_uuid=config.slot_gpu,
        uid=user_of(host, slot),
        runtime=config.runtime or "runc",
    )


def user_of(host: HostFolder, slot: str) -> int:
    """The slot's user number, the same ever after: containers of two slots never share what the kernel counts by user.

    Slots of one installation differ; installations on one machine begin at different places.
    """
    folder = host.root / "users"
    folder.mkdir(exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        taken = {int(path.name): path.read_text() for path in folder.iterdir() if path.name.isdigit()}
        own = [number for number, name in taken.items() if name == slot]
        number = own[0] if own else next(free for free in range(_COUNT) if free not in taken)
        (folder / str(number)).write_text(slot)
    installation = int(host.container_prefix("").removeprefix(PREFIX).split("-")[0], 16)
    return _FIRST + (installation + number) % _COUNT


def split(slot: Slot, memory: int, parts: int) -> list[Slot | None]:
    """What each of so many containers gets of a slot: cores of its own and an equal share of the memory in bytes.

    None stands for the whole slot. With fewer cores than containers some share one.
    """
    if parts == 1:
        return [None]
    own = sorted(cores(slot.cpuset)) if slot.cpuset else []
    return [
        replace(
            slot,
            cpuset=",".join(map(str, own[number::parts] or own[number % len(own) :][:1])) if own else None,
            memory=memory // parts,
        )
        for number in range(parts)
    ]


def halves(slot: Slot, memory: int, limits: Limits) -> tuple[Slot, Slot] | None:
    """Two parts of a slot (`memory` in bytes) that each have all that a container may use; None if it has less."""
    if slot.gpu_uuid is not None or slot.cpuset is None:
        return None
    if len(cores(slot.cpuset)) < 2 * limits.cpus or memory < 2 * limits.memory:
        return None
    first, second = split(slot, memory, 2)
    return None if first is None or second is None else (first, second)
