"""What a container may use, in words, made of a challenge file."""

from typing import NamedTuple

from evaluator.spec import Limits
from server.pages import size
from server.words import of_card


class Limited(NamedTuple):
    """A limit of one case: of what, how much, and what becomes of who goes beyond it."""

    what: str
    most: str
    else_: str


def limits_of(limits: Limits) -> list[Limited]:
    """What a container may use for one case."""
    gpu = "none"
    if limits.gpu is not None and limits.gpu.count:
        gpu = f"{limits.gpu.count}{of_card(limits.gpu.least_shown)}"
    return [
        Limited("Time of one case", f"{limits.seconds_per_case:g} s", "timeout; from process start to exit"),
        Limited("Cores", f"{limits.cpus:g}", "more are not there"),
        Limited("Memory", size(limits.memory), "out_of_memory; there is no swap"),
        Limited("GPU", gpu, "a program that needs more fails by itself"),
        Limited("Shared memory", size(limits.shm), "disk_full in /dev/shm; it counts as memory"),
        Limited("/output", f"{size(limits.output)}, {limits.output_files:,} files", "disk_full"),
        Limited("Everything written", size(limits.disk), "disk_full"),
        Limited("Processes and threads", f"{limits.processes:,}", "too_many_processes"),
        Limited("Image, unpacked", size(limits.image), "refused at its check, before anything runs"),
    ]
