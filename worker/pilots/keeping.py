"""One round of keeping pilots: the server and Slurm are asked, and what follows is done or only said."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from contract.queue import DemandOut, SlotOut
from worker.pilots.deciding import PilotDecision, decide
from worker.pilots.settings import PilotSettings
from worker.pilots.slurm import ClusterJob, JobPhase, Slurm


@dataclass(frozen=True)
class Round:
    """What was found and done. `begun`: numbers of new jobs; empty where it was only said what would be done."""

    demand: DemandOut
    jobs: Mapping[str, int]
    decision: PilotDecision
    begun: list[int]

    def told(self) -> dict[str, Any]:
        """For programs."""
        demand = self.demand.model_dump(mode="json")
        return {"demand": demand, "jobs": dict(self.jobs), "begun": self.begun, **asdict(self.decision)}


def look(
    slurm: Slurm, asked: DemandOut, slots: list[SlotOut], settings: PilotSettings, *, most: int
) -> tuple[list[ClusterJob], PilotDecision]:
    """The jobs, and what follows from them and from what the server said.

    Raises:
        SlurmError: it could not be asked; nothing follows then.
    """
    jobs = slurm.jobs()
    nodes = {
        node
        for slot in slots
        if slot.present and slot.worker == settings.worker and (node := node_of(slot.name)) is not None
    }
    return jobs, decide(asked, jobs, nodes, settings, most=most, now=time.time())


def act(slurm: Slurm, decision: PilotDecision, settings: PilotSettings) -> list[int]:
    """Does what was decided; the numbers of new jobs.

    Raises:
        SlurmError: something was refused; what came before it is done.
    """
    slurm.cancel(decision.superfluous, waiting=True)
    slurm.cancel(decision.idle, waiting=False)
    return [slurm.submit(settings.script()) for _ in range(decision.new)]


def counted(jobs: list[ClusterJob]) -> dict[str, int]:
    """How many jobs there are of each phase."""
    return {phase.value: sum(job.phase is phase for job in jobs) for phase in JobPhase}


def node_of(slot: str) -> str | None:
    """The node that a pilot's slot is on, by its name."""
    if not slot.startswith("slurm-"):
        return None
    node, _, number = slot.removeprefix("slurm-").rpartition("-")
    return node if node and number.isdecimal() else None
