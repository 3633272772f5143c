"""The figures of the order in which slots get cases; the order itself is in `claim.sql`.

That reads no row of a case but the one that it locks. Its figures are small: one row per evaluation under way, one per
slot, one per team. No evaluation is locked, so slots that choose at the same time neither wait for each other nor get
the same case.
"""

from typing import Any

from contract.ids import TokenId
from contract.leases import SlotOffer
from evaluator.spec import Limits
from server.evaluations.usage import HALF_LIFE

USAGE_UNIT, REMAINING_UNIT = 600.0, 25.0
"""Teams are compared in steps that double from here: slot seconds lately, and cases still to run. Within a step a slot
may stay on its image, for loading one costs minutes."""

ANY_RUNTIME = "any"
"""What an evaluation needs whose challenge leaves the container runtime to the worker."""


def needs_of(limits: Limits) -> dict[str, Any]:
    """What a slot has to offer to a case under these limits, as columns of an evaluation."""
    gpu = limits.gpu if limits.gpu and limits.gpu.required else None
    return {
        "needs_cpus": limits.cpus,
        "needs_memory": limits.memory,
        "needs_gpus": gpu.count if gpu else 0,
        "needs_gpu_memory": gpu.least_shown if gpu else 0,
        "needs_runtime": limits.runtime or ANY_RUNTIME,
    }


PRESENT_SECONDS = 60
"""A slot that neither asked for a case nor kept a lease alive for so long is not there."""


WIDTHS = (128, 1_000_000)
"""Evaluations that are put in order and looked into: the first, for sorting them all would cost more than the rest of
the query, and if none of these has a case to give, all. Enough that those with every case parked, as first cases are on
a disturbed host, seldom are all of them."""


def parameters(worker_id: TokenId, slot: SlotOffer) -> dict[str, Any]:
    """What `claim.sql` chooses with."""
    return {
        "worker": worker_id,
        "name": slot.name,
        "cpus": slot.cpus,
        "memory": slot.memory,
        "gpus": slot.gpus,
        "gpu_memory": slot.gpu_memory,
        "runtimes": [*slot.runtimes, ANY_RUNTIME],
        "any_runtime": ANY_RUNTIME,
        "present_seconds": PRESENT_SECONDS,
        "half_life": HALF_LIFE,
        "usage_unit": USAGE_UNIT,
        "remaining_unit": REMAINING_UNIT,
    }
