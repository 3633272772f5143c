"""Which case a slot takes next: one ordered query. It reads no row of a case but the one that it locks.

Its figures are small: one row per evaluation under way, one per slot, one per team. No evaluation is locked, so
slots that choose at the same time neither wait for each other nor get the same case.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

HALF_LIFE = 3600.0
"""Seconds after which a slot second that a team had counts half. Queries keep the exponent between 0 and 100: a power
too small for a float is an error, and 45 days after a team's last case no slot would get any case."""

USAGE_UNIT, REMAINING_UNIT = 600.0, 25.0
"""Teams are compared in steps that double from here: slot seconds lately, and cases still to run. Within a step a slot
may stay on its image, for loading one costs minutes."""

ANY_RUNTIME = "any"
"""What an evaluation needs whose challenge leaves the container runtime to the worker."""


PRESENT_SECONDS = 60
"""A slot that neither asked for a case nor kept a lease alive for so long is not there."""


@dataclass(frozen=True)
class Slot:
    """What a slot of a run worker offers.

    Processor cores, memory in bytes, GPUs and the memory of one in bytes, runtimes of its container engine, how many
    cases it would run at once, and whether it can keep one container for several.
    """

    name: str
    cpus: float
    memory: int
    gpus: int = 0
    gpu_memory: int = 0
    most: int = 1
    invoke: bool = False
    runtimes: tuple[str, ...] = ("runc",)


WIDTHS = (128, 1_000_000)
"""Evaluations that are put in order and looked into: the first, for sorting them all would cost more than the rest of
the query, and if none of these has a case to give, all. Enough that those with every case parked, as first cases are on
a disturbed host, seldom are all of them."""

# Walks the ordered evaluations and stops at the first case that nobody else holds. A case that another slot is taking
# at this moment is passed over, never waited for.
CHOSEN = """
WITH slot AS (
    SELECT team_id, image_id, unfit FROM worker_slots WHERE worker_id = :worker AND name = :name
), held AS (
    SELECT team_id, evaluation_id, charged_at FROM worker_slots WHERE charged_at IS NOT NULL
), active AS NOT MATERIALIZED (
    SELECT id, team_id, image_id, cleared, first_cases, priority, remaining, seconds, created_at,
        -- only what this slot can run, and nothing where it has found itself unfit
        needs_cpus <= :cpus
            AND needs_memory <= :memory
            AND needs_gpus <= :gpus
            AND needs_gpu_memory <= :gpu_memory
            AND needs_runtime = ANY(:runtimes)
            AND NOT EXISTS (SELECT FROM slot WHERE unfit IS NOT NULL) AS fits
    FROM evaluations WHERE status IN ('queued', 'running')
), teams AS (
    SELECT team_id,
        -- the team that the slot served last has half a step less, else teams at an edge would take turns at each case
        greatest(floor(ln(1 + greatest(sum(had), 0) / :usage_unit) / ln(2)
            - CASE WHEN team_id = (SELECT team_id FROM slot) THEN 0.5 ELSE 0 END), 0) AS usage,
        floor(ln(1 + greatest(sum(remaining), 0) / :remaining_unit) / ln(2)) AS remaining,
        sum(slots) AS slots
    FROM (
        SELECT team_id, remaining, 0::float8 AS had, 0 AS slots FROM active
        UNION ALL
        SELECT team_id, 0, seconds * 0.5 ^ least(greatest(extract(epoch FROM now() - as_of) / :half_life, 0), 100), 0
        FROM team_usage
        UNION ALL
        SELECT team_id, 0, extract(epoch FROM now() - charged_at), 1 FROM held
    ) AS parts
    GROUP BY team_id
), ordered AS (
    SELECT active.id, active.team_id, active.image_id, active.cleared, active.first_cases
    FROM active
    -- full joins, though all that counts is on the left: a plan that was made while little waited would nest others
    FULL JOIN teams ON teams.team_id = active.team_id
    FULL JOIN (SELECT evaluation_id, count(*) AS slots FROM held GROUP BY evaluation_id) AS own
        ON own.evaluation_id = active.id
    WHERE coalesce(active.fits, false)
    ORDER BY
        active.priority DESC, -- what an admin put first; what an admin put last delays nobody
        teams.usage, -- the team that had the least of the slots lately, in doubling steps: everybody gets a share
        teams.remaining, -- the team that is nearly through, in doubling steps: it is in nobody's way for long
        teams.slots, -- the team that holds the fewest slots: teams that come together go on together
        (active.image_id = (SELECT image_id FROM slot)) IS TRUE DESC, -- the image that the slot has at hand
        coalesce(own.slots, 0), -- of a team's evaluations the one that holds the fewest slots
        active.seconds, -- then the one that ran least
        active.created_at, -- then age
        active.id
    LIMIT :width
), chosen AS (
    SELECT next.id, next.evaluation_id, ordered.team_id, ordered.image_id
    FROM ordered CROSS JOIN LATERAL (
        SELECT case_runs.id, case_runs.evaluation_id FROM case_runs
        WHERE case_runs.evaluation_id = ordered.id AND case_runs.status = 'waiting'
            -- until one of the first cases has a valid output, only these may run
            AND (ordered.cleared OR case_runs.position < ordered.first_cases)
            -- what met a fault of ours goes to another host, else to another slot, while one is there that can run it:
            -- a broken host alone ends no evaluation
            AND NOT (case_runs.faults > 0 AND case_runs.worker_id = :worker AND EXISTS (
                SELECT FROM worker_slots AS other JOIN evaluations AS own ON own.id = ordered.id
                WHERE (other.worker_id <> :worker OR other.name <> :name AND case_runs.worker = :name)
                    AND other.unfit IS NULL
                    AND other.seen_at > now() - make_interval(secs => :present_seconds)
                    AND own.needs_cpus <= other.cpus
                    AND own.needs_memory <= other.memory
                    AND own.needs_gpus <= other.gpus
                    AND own.needs_gpu_memory <= other.gpu_memory
                    AND (own.needs_runtime = :any_runtime OR jsonb_exists(other.runtimes, own.needs_runtime))
            ))
        ORDER BY case_runs.position
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS next
    LIMIT 1
)
"""


def parameters(worker_id: UUID, slot: Slot) -> dict[str, Any]:
    """What `CHOSEN` is asked with."""
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
