"""What a run worker is told on its command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Orders:
    """Times in seconds; None where nothing was said. In a Slurm job slots are called by `name` and a number.

    slots: how many a Slurm job has that has no GPU.
    """

    name: str | None
    slots: int
    until_idle: float | None
    grace: float | None
