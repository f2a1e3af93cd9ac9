-- The functions as the migration before made them.
DROP FUNCTION workspace_db_claim_jobs(
    text, text, integer, interval, uuid, text[], integer[], uuid[], text[], integer[], timestamptz[], uuid[]
);
CREATE OR REPLACE FUNCTION workspace_db_enqueue_jobs(
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
REVOKE EXECUTE ON FUNCTION workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]) TO workspace_platform;

CREATE OR REPLACE FUNCTION workspace_db_finish_jobs(
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
DROP FUNCTION workspace_db_status_after(text, boolean, boolean);
