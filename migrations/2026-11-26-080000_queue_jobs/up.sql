-- The jobs table becomes the queue. What workers do to it are the functions below: a change of state matches the lease
-- that a claim gave, and the clock is the server's alone. They run with their caller's rights, under row-level security.

CREATE TYPE job_uniqueness AS ENUM ('queued', 'unfinished', 'succeeded', 'kept');
COMMENT ON TYPE job_uniqueness IS 'For how long a job keeps its unique key to itself.';

ALTER TABLE jobs
    ADD COLUMN queue text NOT NULL DEFAULT 'default',
    ADD COLUMN unique_key text,
    ADD COLUMN uniqueness job_uniqueness,
    ADD COLUMN lease_token uuid,
    ADD COLUMN lease_expires_at timestamptz,
    ADD COLUMN heartbeat_at timestamptz,
    ADD COLUMN leased_by text,
    ADD COLUMN cancel_requested_at timestamptz,
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN result jsonb,
    ADD COLUMN errors jsonb NOT NULL DEFAULT '[]';

COMMENT ON COLUMN jobs.queue IS 'The queue that it waits in.';
COMMENT ON COLUMN jobs.unique_key IS 'What no other job of this kind may have in this workspace, for as long as uniqueness says.';
COMMENT ON COLUMN jobs.uniqueness IS 'For how long unique_key is taken.';
COMMENT ON COLUMN jobs.lease_token IS 'Drawn by the claim; whatever the worker does must show it. Set while the job runs.';
COMMENT ON COLUMN jobs.lease_expires_at IS 'Until when the worker has the job, unless a heartbeat comes.';
COMMENT ON COLUMN jobs.heartbeat_at IS 'Time of the claim or of the last heartbeat.';
COMMENT ON COLUMN jobs.leased_by IS 'Name of the worker that has it.';
COMMENT ON COLUMN jobs.cancel_requested_at IS 'Time at which the worker was asked to stop.';
COMMENT ON COLUMN jobs.cancelled_at IS 'Time of cancellation.';
COMMENT ON COLUMN jobs.result IS 'What the handler returned.';
COMMENT ON COLUMN jobs.errors IS 'Every failure: a list of {attempt, at, error}.';

-- Nothing has run from the table before, so what it holds is brought into order rather than refused. As the platform:
-- the owner sees no row.
SET LOCAL ROLE workspace_platform;
UPDATE jobs SET
    status = CASE status WHEN 'running' THEN 'queued' ELSE status END,
    attempts = greatest(attempts, 0),
    max_attempts = least(greatest(max_attempts, attempts + (status IN ('queued', 'running'))::integer, 1), 1000),
    scheduled_at = coalesce(scheduled_at, created_at),
    completed_at = CASE status WHEN 'completed' THEN coalesce(completed_at, updated_at) END,
    failed_at = CASE status WHEN 'failed' THEN coalesce(failed_at, updated_at) ELSE failed_at END,
    last_error = CASE status WHEN 'failed' THEN coalesce(last_error, 'the reason was not kept') ELSE last_error END,
    cancelled_at = CASE status WHEN 'cancelled' THEN updated_at END;
UPDATE jobs SET attempts = least(attempts, max_attempts - (status = 'queued')::integer) WHERE attempts >= max_attempts;
RESET ROLE;

-- The table was a stub until now, so it is small and nobody waits for it.
ALTER TABLE jobs
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT jobs_state_check CHECK (
        (status = 'running') = (lease_token IS NOT NULL)
        AND (status = 'running') = (lease_expires_at IS NOT NULL)
        AND (status = 'running') = (heartbeat_at IS NOT NULL)
        AND (status = 'running') = (leased_by IS NOT NULL)
        AND (status = 'completed') = (completed_at IS NOT NULL)
        AND (status = 'cancelled') = (cancelled_at IS NOT NULL)
        AND (status = 'completed' OR result IS NULL)
        AND (status <> 'queued' OR scheduled_at IS NOT NULL)
        AND (status <> 'running' OR started_at IS NOT NULL)
        AND (status <> 'failed' OR (failed_at IS NOT NULL AND last_error IS NOT NULL))
    ),
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT jobs_attempts_check CHECK (
        max_attempts BETWEEN 1 AND 1000 AND attempts BETWEEN 0 AND max_attempts
        AND (status <> 'queued' OR attempts < max_attempts) AND (status <> 'running' OR attempts > 0)
    ),
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT jobs_unique_check CHECK (
        (unique_key IS NULL) = (uniqueness IS NULL) AND length(unique_key) BETWEEN 1 AND 500
        AND (uniqueness <> 'queued' OR status <> 'running')
    ),
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT jobs_names_check CHECK (length(queue) BETWEEN 1 AND 100 AND length(job_type) BETWEEN 1 AND 100),
    -- A megabyte: what is larger belongs into a row of its own that the job names.
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT jobs_payload_check CHECK (pg_column_size(payload) <= 1048576);

CREATE FUNCTION workspace_db_holds_key(until job_uniqueness, status job_status) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE until
    WHEN 'queued' THEN status = 'queued'
    WHEN 'unfinished' THEN status IN ('queued', 'running')
    WHEN 'succeeded' THEN status IN ('queued', 'running', 'completed')
    WHEN 'kept' THEN true
    ELSE false
END;
COMMENT ON FUNCTION workspace_db_holds_key(job_uniqueness, job_status) IS
    'Whether a job of that uniqueness and state keeps others of its unique key out.';

-- A lane is one kind of job at one priority in one workspace: its due jobs are a prefix, and a claim skips from lane to
-- lane, however many jobs are in each.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX jobs_queued_idx ON jobs (queue, workspace_id, job_type, priority, scheduled_at, id) WHERE status = 'queued';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX jobs_running_idx ON jobs (workspace_id, queue, job_type) WHERE status = 'running';
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX jobs_unique_key ON jobs (workspace_id, job_type, unique_key)
    WHERE workspace_db_holds_key(uniqueness, status);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX jobs_failed_idx ON jobs (workspace_id, failed_at, id) WHERE status = 'failed';
COMMENT ON INDEX jobs_queued_idx IS 'Jobs that wait, lane by lane: what a claim reads.';
COMMENT ON INDEX jobs_running_idx IS 'Jobs that run: what caps count and rescue looks through.';
COMMENT ON INDEX jobs_failed_idx IS 'Dead letters, as an operator lists them.';

-- Each job leaves two dead rows behind it, which vacuum should not let gather until they are a fifth of the table.
ALTER TABLE jobs SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);

CREATE TABLE job_queues (
    name text NOT NULL,
    paused_at timestamptz,
    max_running_per_workspace integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_queues_pkey PRIMARY KEY (name),
    CONSTRAINT job_queues_name_check CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT job_queues_max_running_per_workspace_check CHECK (max_running_per_workspace > 0)
);
COMMENT ON TABLE job_queues IS 'What operators have set for a queue; one without a row is neither paused nor capped.';
COMMENT ON COLUMN job_queues.name IS 'Name of the queue.';
COMMENT ON COLUMN job_queues.paused_at IS 'Time from which nothing is claimed from it.';
COMMENT ON COLUMN job_queues.max_running_per_workspace IS 'How many jobs of one workspace run from it at once, over all workers.';
COMMENT ON COLUMN job_queues.created_at IS 'Time of insertion.';
COMMENT ON COLUMN job_queues.updated_at IS 'Time of the last change, set by the statement that makes it.';
ALTER TABLE job_queues ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_queues FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON job_queues TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_queues TO workspace_platform;

-- Planner settings stand at each function: a plan that was made while the table was empty, and kept by the connection,
-- would read all of it for ever.

CREATE FUNCTION workspace_db_enqueue_jobs(
    of_workspace uuid, kind text, of_queue text, ids uuid[], payloads jsonb[], priorities integer[],
    attempt_limits integer[], due timestamptz[], keys text[], until job_uniqueness, on_conflict text
) RETURNS TABLE (asked uuid, answer uuid, outcome text)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    missing uuid[] := ids;
    holder record;
BEGIN
    -- Whoever holds a key may be done with it between two statements: then it is free, and the next round takes it.
    WHILE cardinality(missing) > 0 LOOP
        -- In the order of the keys, so that two batches can only wait for each other in one direction.
        RETURN QUERY
        INSERT INTO jobs (workspace_id, id, job_type, queue, payload, priority, max_attempts, scheduled_at, unique_key, uniqueness)
        SELECT of_workspace, new.id, kind, of_queue, new.payload, new.priority, new.attempt_limit, coalesce(new.due, now()),
            new.key, until
        FROM unnest(ids, payloads, priorities, attempt_limits, due, keys)
            AS new (id, payload, priority, attempt_limit, due, key)
        WHERE missing = ids OR new.id = ANY (missing)
        ORDER BY new.key
        ON CONFLICT (workspace_id, job_type, unique_key) WHERE workspace_db_holds_key(uniqueness, status) DO NOTHING
        RETURNING jobs.id, jobs.id, 'inserted';
        EXIT WHEN until IS NULL;
        missing := ARRAY(
            SELECT m FROM unnest(missing) AS m
            WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.workspace_id = of_workspace AND j.id = m)
        );
        IF on_conflict = 'refuse' AND cardinality(missing) > 0 THEN
            RAISE EXCEPTION 'a job with the same unique key is there already'
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'jobs_unique_key';
        END IF;
        FOR holder IN
            SELECT new.id AS asked, new.payload, new.priority, new.attempt_limit, new.due, j.id, j.status
            FROM unnest(ids, payloads, priorities, attempt_limits, due, keys)
                AS new (id, payload, priority, attempt_limit, due, key)
            -- One by one: a join that was planned for an empty table would go over all jobs of the kind for each key.
            CROSS JOIN LATERAL (
                SELECT holds.id, holds.status FROM jobs holds
                WHERE holds.workspace_id = of_workspace AND holds.job_type = kind AND holds.unique_key = new.key
                    AND workspace_db_holds_key(holds.uniqueness, holds.status)
                LIMIT 1
            ) AS j
            WHERE new.id = ANY (missing)
            ORDER BY new.key
        LOOP
            asked := holder.asked;
            answer := holder.id;
            outcome := 'kept';
            IF on_conflict = 'replace' AND holder.status = 'queued' THEN
                UPDATE jobs j SET payload = holder.payload, priority = holder.priority,
                    scheduled_at = coalesce(holder.due, now()), max_attempts = greatest(holder.attempt_limit, j.attempts + 1),
                    updated_at = now()
                WHERE j.workspace_id = of_workspace AND j.id = holder.id AND j.status = 'queued';
                -- A worker has just taken it: look again.
                CONTINUE WHEN NOT FOUND;
                outcome := 'replaced';
            END IF;
            missing := array_remove(missing, holder.asked);
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
) IS 'Inserts jobs of one kind, and answers for each whether it was inserted, or a holder of its unique key kept or replaced.';

-- Workspaces take turns, from the one after the claimer's last; within one, priority and age decide. A window of lanes is
-- looked at, then the next, until enough is claimed or every workspace has been seen: a claim that returns nothing says
-- that there is nothing to claim.
CREATE FUNCTION workspace_db_claim_jobs(
    of_queue text, worker text, most integer, lease interval, after_workspace uuid, known_kinds text[], caps integer[]
) RETURNS SETOF jobs
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off
AS $function$
DECLARE
    nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    moment CONSTANT timestamptz := clock_timestamp();
    window_size CONSTANT integer := greatest(most, 16);
    remaining integer := most;
    of_all integer;
    is_paused boolean;
    -- The lap goes from one workspace to another; the second goes up to where the first began.
    start uuid := after_workspace;
    lap_end uuid;
    seen_by_now uuid[];
    is_lap_over boolean;
    sharers integer;
    quota integer;
    is_rest boolean;
    is_plain boolean;
    workspaces uuid[];
    kinds text[];
    priorities integer[];
    turns integer[];
    kind_caps integer[];
    locked uuid[];
    -- By their places in the table: they are locked from the statement that finds them to the one that changes them.
    chosen tid[];
BEGIN
    SELECT q.max_running_per_workspace, q.paused_at IS NOT NULL INTO of_all, is_paused FROM job_queues q WHERE q.name = of_queue;
    WHILE remaining > 0 AND is_paused IS NOT TRUE LOOP
        WITH RECURSIVE lane AS (
            (
                SELECT j.workspace_id, j.job_type, j.priority, due.is_due, due.is_due::integer AS turn, due.is_due AS has_turn
                FROM jobs j CROSS JOIN LATERAL (SELECT j.scheduled_at <= moment AND j.job_type = ANY (known_kinds) AS is_due) AS due
                WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id > start
                ORDER BY j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id LIMIT 1
            )
            UNION ALL
            SELECT next.workspace_id, next.job_type, next.priority, next.is_due,
                lane.turn + (next.is_due AND NOT (lane.has_turn AND lane.workspace_id = next.workspace_id))::integer,
                next.is_due OR (lane.has_turn AND lane.workspace_id = next.workspace_id)
            FROM lane CROSS JOIN LATERAL (
                SELECT j.workspace_id, j.job_type, j.priority, j.scheduled_at <= moment AND j.job_type = ANY (known_kinds) AS is_due
                FROM jobs j WHERE j.status = 'queued' AND j.queue = of_queue
                    AND (j.workspace_id, j.job_type, j.priority) > (lane.workspace_id, lane.job_type, lane.priority)
                ORDER BY j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id LIMIT 1
            ) AS next
            WHERE lane.turn <= window_size AND (lap_end IS NULL OR next.workspace_id <= lap_end)
        ), seen AS MATERIALIZED (
            SELECT lane.*, is_due AND turn <= window_size
                AND EXISTS (SELECT FROM workspaces w WHERE w.id = lane.workspace_id AND w.is_active) AS is_open
            FROM lane
        )
        SELECT array_agg(workspace_id) FILTER (WHERE is_open), array_agg(job_type) FILTER (WHERE is_open),
            array_agg(priority) FILTER (WHERE is_open), array_agg(turn) FILTER (WHERE is_open),
            array_agg(caps[array_position(known_kinds, job_type)]) FILTER (WHERE is_open),
            -- Not one whose turn has yet to come: of the next workspace a lane that is not due may stand before its due one.
            array_agg(workspace_id) FILTER (WHERE has_turn AND turn <= window_size),
            coalesce(max(turn), 0) <= window_size
        INTO workspaces, kinds, priorities, turns, kind_caps, seen_by_now, is_lap_over
        FROM seen;

        IF workspaces IS NOT NULL THEN
            -- Who counts what runs must be alone with it, up to its commit; whoever comes meanwhile leaves that lane out.
            -- The count is of a later statement than the lock, so it sees what the last holder of the lock has claimed.
            locked := ARRAY(
                SELECT capped.workspace_id
                FROM (SELECT DISTINCT w AS workspace_id FROM unnest(workspaces, kind_caps) AS lane (w, cap)
                    WHERE of_all IS NOT NULL OR cap IS NOT NULL) AS capped
                WHERE pg_try_advisory_xact_lock(hashtextextended(of_queue || ' ' || capped.workspace_id, 6))
            );
            -- Each an equal share first; then what others have left of theirs.
            sharers := (SELECT count(DISTINCT t) FROM unnest(turns) AS t);
            quota := ceil(remaining::numeric / sharers);
            is_rest := sharers = 1;
            is_plain := cardinality(workspaces) = sharers AND of_all IS NULL AND array_remove(kind_caps, NULL) = '{}';
            LOOP
                IF is_plain THEN
                    -- Where each workspace has one lane and none a cap, the shares can be told before anything is read.
                    chosen := ARRAY(
                        SELECT c.place
                        FROM unnest(workspaces, kinds, priorities) WITH ORDINALITY AS lane (workspace_id, job_type, priority, nth)
                        CROSS JOIN LATERAL (
                            SELECT j.ctid AS place
                            FROM jobs j WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id = lane.workspace_id
                                AND j.job_type = lane.job_type AND j.priority = lane.priority AND j.scheduled_at <= moment
                            ORDER BY j.scheduled_at, j.id LIMIT remaining / sharers + (nth <= remaining % sharers)::integer
                            FOR UPDATE SKIP LOCKED
                        ) AS c
                    );
                ELSE
                    WITH lane AS (
                        SELECT l.*,
                            CASE WHEN l.cap IS NULL THEN NULL WHEN l.workspace_id <> ALL (locked) THEN 0 ELSE greatest(0, l.cap - (
                                SELECT count(*)::integer FROM jobs r WHERE r.status = 'running' AND r.workspace_id = l.workspace_id
                                    AND r.queue = of_queue AND r.job_type = l.job_type)) END AS kind_room,
                            CASE WHEN of_all IS NULL THEN NULL WHEN l.workspace_id <> ALL (locked) THEN 0 ELSE greatest(0, of_all - (
                                SELECT count(*)::integer FROM jobs r WHERE r.status = 'running' AND r.workspace_id = l.workspace_id
                                    AND r.queue = of_queue)) END AS workspace_room
                        FROM unnest(workspaces, kinds, priorities, turns, kind_caps)
                            AS l (workspace_id, job_type, priority, turn, cap)
                    ), candidate AS MATERIALIZED (
                        -- Of several lanes of one workspace more are locked than are taken; they are free again at once.
                        SELECT c.*, lane.turn, lane.kind_room, lane.workspace_room
                        FROM lane CROSS JOIN LATERAL (
                            SELECT j.ctid AS place, j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id
                            FROM jobs j WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id = lane.workspace_id
                                AND j.job_type = lane.job_type AND j.priority = lane.priority AND j.scheduled_at <= moment
                            ORDER BY j.scheduled_at, j.id LIMIT least(quota, lane.kind_room, lane.workspace_room)
                            FOR UPDATE SKIP LOCKED
                        ) AS c
                    ), of_kind AS (
                        SELECT *, row_number() OVER (PARTITION BY workspace_id, job_type ORDER BY priority, scheduled_at, id) AS nth
                        FROM candidate
                    ), of_workspace AS (
                        SELECT *, row_number() OVER (PARTITION BY workspace_id ORDER BY priority, scheduled_at, id) AS round
                        FROM of_kind WHERE kind_room IS NULL OR nth <= kind_room
                    ), first AS (
                        SELECT place FROM of_workspace WHERE round <= least(quota, workspace_room) ORDER BY round, turn LIMIT remaining
                    )
                    SELECT array_agg(place) INTO chosen FROM first;
                END IF;
                RETURN QUERY
                UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = moment, updated_at = moment,
                    heartbeat_at = moment, lease_expires_at = moment + lease, lease_token = gen_random_uuid(), leased_by = worker,
                    -- Who was to be alone while it waited no longer is, also if it should come to wait again.
                    unique_key = CASE uniqueness WHEN 'queued' THEN NULL ELSE unique_key END,
                    uniqueness = nullif(uniqueness, 'queued')
                WHERE jobs.ctid = ANY (chosen)
                RETURNING jobs.*;
                remaining := remaining - coalesce(cardinality(chosen), 0);
                EXIT WHEN remaining = 0 OR is_rest OR coalesce(cardinality(chosen), 0) = 0 AND NOT is_plain;
                -- What is left is shared round by round, also by those whose share was nothing.
                quota := remaining;
                is_rest := true;
                is_plain := false;
            END LOOP;
        END IF;

        IF NOT is_lap_over THEN
            start := seen_by_now[cardinality(seen_by_now)];
        ELSIF lap_end IS NULL AND after_workspace <> nobody THEN
            start := nobody;
            lap_end := after_workspace;
        ELSE
            RETURN;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]) IS
    'Leases at most so many due jobs of a queue to a worker, fairly between workspaces and within the caps.';

CREATE FUNCTION workspace_db_finish_jobs(
    workspaces uuid[], ids uuid[], leases uuid[], outcomes text[], delays_ms bigint[], reasons text[], results jsonb[],
    patience_ms integer
) RETURNS TABLE (held uuid, new_status job_status)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF patience_ms IS NOT NULL THEN
        PERFORM set_config('lock_timeout', patience_ms::text, true);
    END IF;
    RETURN QUERY
    UPDATE jobs SET
        (status, scheduled_at, completed_at, cancelled_at, result) = (
            SELECT next.status,
                -- One that was not started keeps its place.
                CASE WHEN next.status = 'queued' AND done.outcome <> 'released' THEN moment + done.delay_ms * interval '1 millisecond'
                    ELSE jobs.scheduled_at END,
                CASE next.status WHEN 'completed' THEN moment END,
                CASE next.status WHEN 'cancelled' THEN moment END,
                CASE next.status WHEN 'completed' THEN done.result END
            FROM (SELECT (CASE
                WHEN done.outcome IN ('completed', 'failed', 'cancelled') THEN done.outcome
                WHEN jobs.cancel_requested_at IS NOT NULL THEN 'cancelled'
                WHEN done.outcome = 'retried' AND jobs.attempts >= jobs.max_attempts THEN 'failed'
                ELSE 'queued'
            END)::job_status AS status) AS next
        ),
        -- A start that the handler did not use does not count.
        attempts = attempts - (done.outcome IN ('snoozed', 'released'))::integer,
        failed_at = CASE WHEN done.outcome IN ('retried', 'failed') THEN moment ELSE failed_at END,
        last_error = coalesce(done.reason, last_error),
        errors = CASE WHEN done.reason IS NULL THEN errors
            ELSE errors || jsonb_build_object('attempt', attempts, 'at', moment, 'error', done.reason) END,
        lease_token = NULL, lease_expires_at = NULL, heartbeat_at = NULL, leased_by = NULL, updated_at = moment
    FROM unnest(workspaces, ids, leases, outcomes, delays_ms, reasons, results)
        AS done (workspace_id, id, lease, outcome, delay_ms, reason, result)
    WHERE jobs.workspace_id = done.workspace_id AND jobs.id = done.id
        AND jobs.lease_token = done.lease AND jobs.lease_expires_at > moment
    RETURNING done.lease, jobs.status;
END
$function$;
COMMENT ON FUNCTION workspace_db_finish_jobs(uuid[], uuid[], uuid[], text[], bigint[], text[], jsonb[], integer) IS
    'Ends jobs as their outcomes say: completed, retried, failed, cancelled, snoozed or released. Returns those leases that held; the other jobs are unchanged. Fails where it would wait longer for another transaction than is asked for.';

CREATE FUNCTION workspace_db_finish_job_here(
    of_workspace uuid, job uuid, lease uuid, outcome text, delay_ms bigint, reason text, result jsonb
) RETURNS boolean
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $function$
BEGIN
    PERFORM FROM workspace_db_finish_jobs(
        ARRAY[of_workspace], ARRAY[job], ARRAY[lease], ARRAY[outcome], ARRAY[delay_ms], ARRAY[reason], ARRAY[result], NULL);
    IF FOUND THEN
        -- The row is this transaction's until its end, so its commit needs no lease; but the end has to come.
        PERFORM set_config('app.finished_job', job::text, true), set_config('idle_in_transaction_session_timeout', '30s', true);
    END IF;
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb) IS
    'As workspace_db_finish_jobs, for one job, in the transaction of its own work; whether the lease held.';

CREATE FUNCTION workspace_db_hold_lease(of_workspace uuid, job uuid, lease uuid) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off
AS $function$
BEGIN
    -- The lock keeps rescue out until the commit that follows.
    PERFORM FROM jobs j WHERE j.workspace_id = of_workspace AND j.id = job AND j.lease_token = lease
        AND j.lease_expires_at > clock_timestamp() FOR SHARE;
    IF NOT FOUND AND current_setting('app.finished_job', true) IS DISTINCT FROM job::text THEN
        RAISE EXCEPTION 'the lease of job % is over', job USING CONSTRAINT = 'workspace_db_lease';
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_hold_lease(uuid, uuid, uuid) IS
    'Last statement of every transaction of a job''s work: fails where the worker has lost the lease, so that nothing is committed.';

CREATE FUNCTION workspace_db_heartbeat_jobs(workspaces uuid[], ids uuid[], leases uuid[], lease interval)
RETURNS TABLE (asked uuid, verdict text)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH shown AS (
        SELECT * FROM unnest(workspaces, ids, leases) AS a (workspace_id, id, token)
    ), free AS MATERIALIZED (
        -- A job whose own transaction is about to finish it is not waited for: all the others would wait with it.
        SELECT j.workspace_id, j.id FROM shown a JOIN jobs j ON j.workspace_id = a.workspace_id AND j.id = a.id
        WHERE j.lease_token = a.token AND j.lease_expires_at > moment
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), extended AS (
        UPDATE jobs j SET heartbeat_at = moment, lease_expires_at = moment + lease
        FROM free WHERE j.workspace_id = free.workspace_id AND j.id = free.id
        RETURNING j.lease_token, j.cancel_requested_at IS NOT NULL AS is_to_stop
    )
    SELECT a.token, CASE
        WHEN e.is_to_stop THEN 'stop'
        WHEN e.lease_token IS NOT NULL THEN 'held'
        WHEN EXISTS (SELECT FROM jobs j WHERE j.workspace_id = a.workspace_id AND j.id = a.id AND j.lease_token = a.token
            AND j.lease_expires_at > moment) THEN 'busy'
        ELSE 'lost'
    END
    FROM shown a LEFT JOIN extended e ON e.lease_token = a.token;
END
$function$;
COMMENT ON FUNCTION workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval) IS
    'Extends leases that hold, and answers for each: held, stop where it is to be cancelled, busy where another statement has it, lost.';

CREATE FUNCTION workspace_db_rescue_jobs(most integer)
RETURNS TABLE (of_workspace uuid, job uuid, of_queue text, kind text, new_status job_status)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH expired AS MATERIALIZED (
        SELECT j.workspace_id, j.id, format('the lease of worker %s, attempt %s, ran out', j.leased_by, j.attempts) AS reason
        FROM jobs j
        -- A heartbeat of the future is one from before the server's clock was set back.
        WHERE j.status = 'running' AND (j.lease_expires_at <= moment OR j.heartbeat_at > moment + interval '1 minute')
        LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs SET
        (status, cancelled_at) = (
            SELECT next.status, CASE next.status WHEN 'cancelled' THEN moment END
            FROM (SELECT (CASE
                WHEN jobs.cancel_requested_at IS NOT NULL THEN 'cancelled'
                WHEN jobs.attempts >= jobs.max_attempts THEN 'failed'
                ELSE 'queued'
            END)::job_status AS status) AS next
        ),
        scheduled_at = moment, failed_at = moment, last_error = expired.reason,
        errors = errors || jsonb_build_object('attempt', attempts, 'at', moment, 'error', expired.reason),
        lease_token = NULL, lease_expires_at = NULL, heartbeat_at = NULL, leased_by = NULL, updated_at = moment
    FROM expired WHERE jobs.workspace_id = expired.workspace_id AND jobs.id = expired.id
    RETURNING jobs.workspace_id, jobs.id, jobs.queue, jobs.job_type, jobs.status;
END
$function$;
COMMENT ON FUNCTION workspace_db_rescue_jobs(integer) IS
    'Puts back at most so many jobs whose worker has let the lease run out, or buries them where that was the last attempt.';

CREATE FUNCTION workspace_db_cancel_job(of_workspace uuid, job uuid) RETURNS SETOF job_status
LANGUAGE sql
SET search_path FROM CURRENT
AS $function$
    UPDATE jobs SET
        status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END,
        cancelled_at = CASE status WHEN 'queued' THEN clock_timestamp() ELSE cancelled_at END,
        cancel_requested_at = CASE WHEN status IN ('queued', 'running') THEN coalesce(cancel_requested_at, clock_timestamp())
            ELSE cancel_requested_at END,
        updated_at = clock_timestamp()
    WHERE workspace_id = of_workspace AND id = job
    RETURNING status;
$function$;
COMMENT ON FUNCTION workspace_db_cancel_job(uuid, uuid) IS
    'Cancels a job that waits, and asks the worker of one that runs to stop; the state that it is in now.';

CREATE FUNCTION workspace_db_retry_job(of_workspace uuid, job uuid)
RETURNS TABLE (status_now job_status, of_queue text, is_changed boolean)
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $function$
BEGIN
    RETURN QUERY
    UPDATE jobs SET status = 'queued', scheduled_at = clock_timestamp(), cancelled_at = NULL, cancel_requested_at = NULL,
        max_attempts = greatest(max_attempts, attempts + 1), updated_at = clock_timestamp()
    WHERE workspace_id = of_workspace AND id = job AND status IN ('queued', 'failed', 'cancelled')
    RETURNING status, queue, true;
    IF NOT FOUND THEN
        RETURN QUERY SELECT status, queue, false FROM jobs WHERE workspace_id = of_workspace AND id = job;
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_retry_job(uuid, uuid) IS
    'Has a job that waits, failed or was cancelled start as soon as may be, once more than it might; one that runs or has completed is unchanged.';

REVOKE EXECUTE ON FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
), workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]),
    workspace_db_finish_jobs(uuid[], uuid[], uuid[], text[], bigint[], text[], jsonb[], integer),
    workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb),
    workspace_db_hold_lease(uuid, uuid, uuid),
    workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval),
    workspace_db_rescue_jobs(integer), workspace_db_cancel_job(uuid, uuid), workspace_db_retry_job(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
), workspace_db_finish_jobs(uuid[], uuid[], uuid[], text[], bigint[], text[], jsonb[], integer),
    workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb),
    workspace_db_hold_lease(uuid, uuid, uuid), workspace_db_cancel_job(uuid, uuid), workspace_db_retry_job(uuid, uuid)
    TO workspace_app, workspace_platform;
GRANT EXECUTE ON FUNCTION workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]),
    workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval),
    workspace_db_rescue_jobs(integer) TO workspace_platform;
