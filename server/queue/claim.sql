-- One statement, for each message to the database and back costs as much as choosing does. The moves and their events
-- are those of `move_to`. An evaluation that somebody else holds is not waited for: another first claim starts it, and
-- an end drops this case too.
--
-- Walks the ordered evaluations and stops at the first case that nobody else holds. A case that another slot is taking
-- at this moment is passed over, never waited for.
WITH slot AS (
    SELECT team_id, image_id, unfit FROM worker_slots WHERE worker_id = :worker AND name = :name
), held AS (
    SELECT worker_slots.team_id, evaluation_id, charged_at, standing IS DISTINCT FROM 'beside' AS counts
    FROM worker_slots LEFT JOIN evaluations ON evaluations.id = evaluation_id
    WHERE charged_at IS NOT NULL
), active AS NOT MATERIALIZED (
    SELECT id, team_id, image_id, cleared, first_cases, priority, seconds, created_at,
        -- what a re-evaluation runs is held against no team
        CASE WHEN standing = 'beside' THEN 0 ELSE remaining END AS remaining,
        -- only what this slot can run, and nothing where it has found itself unfit
        needs_cpus <= :cpus
            AND needs_memory <= :memory
            AND needs_gpus <= :gpus
            AND needs_gpu_memory <= :gpu_memory
            AND needs_runtime = ANY(:runtimes)
            AND NOT EXISTS (SELECT FROM slot WHERE unfit IS NOT NULL)
            AND NOT :drains AS fits
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
        SELECT team_id, 0, extract(epoch FROM now() - charged_at), 1 FROM held WHERE counts
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
                    AND other.unfit IS NULL AND other.draining_since IS NULL
                    AND NOT EXISTS (
                        SELECT FROM api_tokens WHERE id = other.worker_id AND api_tokens.draining_since IS NOT NULL
                    )
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
), leased AS (
    UPDATE case_runs SET status = 'running', claim_no = claim_no + 1, mode = 'fresh', worker = :name,
        worker_id = :worker, output = NULL, downloads = 0, started_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => :lease_seconds)
    FROM chosen WHERE case_runs.id = chosen.id
    RETURNING case_runs.*
), started AS (
    UPDATE evaluations SET status = 'running', started_at = now()
    WHERE id = (
        SELECT id FROM evaluations
        WHERE id = (SELECT evaluation_id FROM chosen) AND status = 'queued'
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id
), told AS (
    INSERT INTO events (id, subject, subject_id, actor, old, new, claim_no)
    SELECT cast(:event AS uuid), 'case_run', id, :actor, 'waiting', 'running', claim_no FROM leased
    UNION ALL
    SELECT cast(:start_event AS uuid), 'evaluation', id, :actor, 'queued', 'running', NULL FROM started
), noted AS (
    INSERT INTO worker_slots AS old (worker_id, name, cpus, memory, gpus, gpu_memory, gpu_model, gpu_driver, gpu_cuda,
        runtimes, most, invoke, seen_at, evaluation_id, team_id, image_id, charged_at)
    SELECT cast(:worker AS uuid), :name, :cpus, :memory, :gpus, :gpu_memory, :gpu_model, :gpu_driver, :gpu_cuda,
        to_jsonb(cast(:offered AS text[])), :most, :invoke, now(), chosen.evaluation_id, chosen.team_id, chosen.image_id,
        CASE WHEN chosen.id IS NOT NULL THEN clock_timestamp() END
    FROM (SELECT) AS one LEFT JOIN chosen ON true
    ON CONFLICT (worker_id, name) DO UPDATE SET
        cpus = excluded.cpus, memory = excluded.memory, gpus = excluded.gpus, gpu_memory = excluded.gpu_memory,
        gpu_model = excluded.gpu_model, gpu_driver = excluded.gpu_driver, gpu_cuda = excluded.gpu_cuda,
        runtimes = excluded.runtimes, most = excluded.most, invoke = excluded.invoke,
        seen_at = excluded.seen_at, examining_since = NULL,
        evaluation_id = coalesce(excluded.evaluation_id, old.evaluation_id),
        team_id = coalesce(excluded.team_id, old.team_id),
        image_id = coalesce(excluded.image_id, old.image_id),
        -- a slot may be leased its next case before it has finished this one: its clock then runs on
        charged_at = coalesce(old.charged_at, excluded.charged_at)
)
SELECT {columns}, (
    -- what the slot held before this claim, by mode
    SELECT jsonb_object_agg(coalesce(mode, 'fresh'), cases) FROM (
        SELECT mode, count(*) AS cases FROM case_runs
        WHERE status = 'running' AND worker_id = :worker AND worker = :name
        GROUP BY mode
    ) AS had
) AS had
FROM leased
