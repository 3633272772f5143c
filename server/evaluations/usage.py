"""Who had how much of the slots lately. A slot's time is charged to the team whose case it held, when the case ends.

What a slot holds right now is in its own row and counts from there, so that a claim writes no row of a team.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from contract.statuses import EvaluationStanding
from server.evaluations.models import CaseRun, Evaluation

HALF_LIFE = 3600.0
"""Seconds after which a slot second that a team had counts half. Queries keep the exponent between 0 and 100: a power
too small for a float is an error, and 45 days after a team's last case no slot would get any case."""

# The slot's clock starts anew; it stops when the slot holds nothing more. Of several cases that a slot was leased
# together each is charged what has passed since the last one ended, so that no second is charged twice.
_CHARGE = text("""
WITH held AS (
    SELECT worker_id, name, charged_at FROM worker_slots
    WHERE (worker_id, name) IN (SELECT * FROM unnest(cast(:workers AS uuid[]), cast(:names AS text[])))
        AND charged_at IS NOT NULL
    ORDER BY worker_id, name
    FOR UPDATE
), restarted AS (
    UPDATE worker_slots SET charged_at = CASE WHEN EXISTS (
        SELECT FROM case_runs
        WHERE status = 'running' AND worker_id = held.worker_id AND worker = held.name
    ) THEN clock_timestamp() END
    FROM held WHERE worker_slots.worker_id = held.worker_id AND worker_slots.name = held.name
)
INSERT INTO team_usage AS old (team_id, seconds, as_of)
SELECT cast(:team AS uuid), sum(greatest(extract(epoch FROM clock_timestamp() - charged_at), 0)), clock_timestamp()
FROM held WHERE :counts
HAVING count(*) > 0
ON CONFLICT (team_id) DO UPDATE SET
    seconds = excluded.seconds
        + old.seconds * 0.5 ^ least(greatest(extract(epoch FROM excluded.as_of - old.as_of) / :half_life, 0), 100),
    as_of = excluded.as_of
""")


def charge(session: Session, evaluation: Evaluation, runs: Sequence[CaseRun], *, counts: bool = True) -> None:
    """Charges a team for the slots that held `runs` of its evaluation, whose new status has been flushed.

    Without `counts` the time was lost by our fault and is nobody's; nor is that of a re-evaluation.
    """
    held = sorted({(run.worker_id, run.worker) for run in runs if run.worker_id and run.worker})
    if not held:
        return
    values = {
        "workers": [worker_id for worker_id, _ in held],
        "names": [name for _, name in held],
        "team": evaluation.team_id,
        "counts": counts and evaluation.standing is not EvaluationStanding.BESIDE,
        "half_life": HALF_LIFE,
    }
    session.execute(_CHARGE, values)
