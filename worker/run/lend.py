"""What a slot lends to each of its containers: cores, a GPU, a runtime, and a user that no other slot here has."""

import fcntl

from sandbox.jobs import Slot
from worker.run.config import RunConfig
from worker.run.host import PREFIX, Host

_FIRST, _COUNT = 61_000, 184
"""User numbers that neither distributions nor systemd give to anybody: 61000 to 61183."""


def lent(config: RunConfig, host: Host, slot: str) -> Slot:
    """What the slot `slot` of this host lends to a container that it runs alone."""
    return Slot(
        cpuset=config.slot_cpuset,
        gpu_uuid=config.slot_gpu,
        uid=user_of(host, slot),
        runtime=config.runtime or "runc",
    )


def user_of(host: Host, slot: str) -> int:
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
