-- Workers call these functions with their caller's rights, under row-level security. A change of state requires the lease of the
-- claim, and only the server's clock counts. Planner settings stand at each function: a connection would keep a plan that was
-- made for an empty table, and read the whole table for ever.

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
    is_first_round boolean := true;
    holder record;
BEGIN
    IF until IS NULL THEN
        INSERT INTO jobs (workspace_id, id, job_type, queue, payload, priority, max_attempts, scheduled_at)
        SELECT of_workspace, new.id, kind, of_queue, new.payload, new.priority, new.attempt_limit, coalesce(new.due, now())
        FROM unnest(ids, payloads, priorities, attempt_limits, due) AS new (id, payload, priority, attempt_limit, due);
        RETURN;
    END IF;
    -- The holder of a key may release it between two statements; the next round then takes it.
    WHILE cardinality(missing) > 0 LOOP
        -- In the order of the keys, so that two batches can't deadlock.
        INSERT INTO jobs (workspace_id, id, job_type, queue, payload, priority, max_attempts, scheduled_at, unique_key, uniqueness)
        SELECT of_workspace, new.id, kind, of_queue, new.payload, new.priority, new.attempt_limit, coalesce(new.due, now()),
            new.key, until
        FROM unnest(ids, payloads, priorities, attempt_limits, due, keys)
            AS new (id, payload, priority, attempt_limit, due, key)
        WHERE is_first_round OR new.id = ANY (missing)
        ORDER BY new.key
        ON CONFLICT (workspace_id, job_type, unique_key) WHERE workspace_db_holds_key(uniqueness, status) DO NOTHING;
        is_first_round := false;
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
            -- LATERAL: a join that was planned for an empty table would read all jobs of the kind for each key.
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
                -- A worker has just claimed it: look again.
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
) IS 'Inserts jobs of one kind. Returns a row for each job that was not inserted: the holder of its unique key was kept or replaced.';

-- Workspaces take turns, starting after the last workspace of the caller; within a workspace, priority and age decide. The function
-- reads one window of lanes (a workspace, kind and priority) after the other until it has enough jobs or has seen every
-- workspace. A claim that returns no row means that no job can be claimed.
CREATE FUNCTION workspace_db_claim_jobs(
    of_queue text, worker text, most integer, lease interval, after_workspace uuid, known_kinds text[], caps integer[],
    lane_workspaces uuid[], lane_kinds text[], lane_priorities integer[], lane_times timestamptz[], lane_jobs uuid[]
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
    -- The first lap goes from the start to the last workspace; the second ends where the first began.
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
    -- The first job of each lane. Earlier jobs have been claimed, and a scan would read their index entries in vain.
    times timestamptz[];
    firsts uuid[];
    kind_caps integer[];
    is_going_on boolean;
    locked uuid[];
    -- The places of the jobs in the table. Row locks keep these valid from the SELECT to the UPDATE.
    chosen tid[];
BEGIN
    SELECT q.max_running_per_workspace, q.paused_at IS NOT NULL INTO of_all, is_paused FROM job_queues q WHERE q.name = of_queue;
    SELECT array_agg(w), array_agg(k), array_agg(p), array_agg(t), array_agg(j), array_agg(nth),
        array_agg(caps[array_position(known_kinds, k)])
    INTO workspaces, kinds, priorities, times, firsts, turns, kind_caps
    FROM (
        SELECT lane.*, dense_rank() OVER (ORDER BY w <= after_workspace, w) AS nth
        FROM unnest(lane_workspaces, lane_kinds, lane_priorities, lane_times, lane_jobs) AS lane (w, k, p, t, j)
        WHERE EXISTS (SELECT FROM workspaces open WHERE open.id = w AND open.is_active)
        ORDER BY nth
    ) AS lanes;
    is_going_on := workspaces IS NOT NULL;
    WHILE remaining > 0 AND is_paused IS NOT TRUE LOOP
        IF NOT is_going_on THEN
            WITH RECURSIVE lane AS (
                (
                    SELECT j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id, due.is_due,
                        due.is_due::integer AS turn, due.is_due AS has_turn
                    FROM jobs j CROSS JOIN LATERAL (SELECT j.scheduled_at <= moment AND j.job_type = ANY (known_kinds) AS is_due) AS due
                    WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id > start
                    ORDER BY j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id LIMIT 1
                )
                UNION ALL
                SELECT next.workspace_id, next.job_type, next.priority, next.scheduled_at, next.id, next.is_due,
                    lane.turn + (next.is_due AND NOT (lane.has_turn AND lane.workspace_id = next.workspace_id))::integer,
                    next.is_due OR (lane.has_turn AND lane.workspace_id = next.workspace_id)
                FROM lane CROSS JOIN LATERAL (
                    SELECT j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id,
                        j.scheduled_at <= moment AND j.job_type = ANY (known_kinds) AS is_due
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
                array_agg(scheduled_at) FILTER (WHERE is_open), array_agg(id) FILTER (WHERE is_open),
                array_agg(caps[array_position(known_kinds, job_type)]) FILTER (WHERE is_open),
                -- Leaves out a workspace whose turn comes in the next window: a lane that is not due can precede its due lane.
                array_agg(workspace_id) FILTER (WHERE has_turn AND turn <= window_size),
                coalesce(max(turn), 0) <= window_size
            INTO workspaces, kinds, priorities, turns, times, firsts, kind_caps, seen_by_now, is_lap_over
            FROM seen;
        END IF;

        IF workspaces IS NOT NULL THEN
            -- The lock lets one claim at a time count the running jobs of a workspace, until it commits. Other claims skip the workspace.
            -- The count runs in a later statement than the lock, so it sees the jobs that the last holder of the lock claimed.
            locked := ARRAY(
                SELECT capped.workspace_id
                FROM (SELECT DISTINCT w AS workspace_id FROM unnest(workspaces, kind_caps) AS lane (w, cap)
                    WHERE of_all IS NOT NULL OR cap IS NOT NULL) AS capped
                WHERE pg_try_advisory_xact_lock(hashtextextended(of_queue || ' ' || capped.workspace_id, 6))
            );
            -- Each workspace first gets an equal share, then the part that others left of theirs.
            sharers := (SELECT count(DISTINCT t) FROM unnest(turns) AS t);
            quota := ceil(remaining::numeric / sharers);
            is_rest := sharers = 1;
            is_plain := cardinality(workspaces) = sharers AND of_all IS NULL AND array_remove(kind_caps, NULL) = '{}';
            LOOP
                IF is_plain THEN
                    -- If each workspace has one lane and none has a cap, the shares are known before any job is read.
                    chosen := ARRAY(
                        SELECT c.place
                        FROM unnest(workspaces, kinds, priorities, times, firsts)
                            WITH ORDINALITY AS lane (workspace_id, job_type, priority, at, first, nth)
                        CROSS JOIN LATERAL (
                            SELECT j.ctid AS place
                            FROM jobs j WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id = lane.workspace_id
                                AND j.job_type = lane.job_type AND j.priority = lane.priority AND j.scheduled_at <= moment
                                AND (j.scheduled_at, j.id) >= (lane.at, lane.first)
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
                        FROM unnest(workspaces, kinds, priorities, turns, kind_caps, times, firsts)
                            AS l (workspace_id, job_type, priority, turn, cap, at, first)
                    ), candidate AS MATERIALIZED (
                        -- Locks more jobs than it takes if a workspace has several lanes. The others are free after the commit.
                        SELECT c.*, lane.turn, lane.kind_room, lane.workspace_room
                        FROM lane CROSS JOIN LATERAL (
                            SELECT j.ctid AS place, j.workspace_id, j.job_type, j.priority, j.scheduled_at, j.id
                            FROM jobs j WHERE j.status = 'queued' AND j.queue = of_queue AND j.workspace_id = lane.workspace_id
                                AND j.job_type = lane.job_type AND j.priority = lane.priority AND j.scheduled_at <= moment
                                AND (j.scheduled_at, j.id) >= (lane.at, lane.first)
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
                    -- A job that was unique only while it was queued loses its key, also if it is queued again.
                    unique_key = CASE uniqueness WHEN 'queued' THEN NULL ELSE unique_key END,
                    uniqueness = nullif(uniqueness, 'queued')
                WHERE jobs.ctid = ANY (chosen)
                RETURNING jobs.*;
                remaining := remaining - coalesce(cardinality(chosen), 0);
                EXIT WHEN remaining = 0 OR is_rest OR coalesce(cardinality(chosen), 0) = 0 AND NOT is_plain;
                -- The next round shares the rest, also among workspaces that got nothing.
                quota := remaining;
                is_rest := true;
                is_plain := false;
            END LOOP;
        END IF;

        IF is_going_on THEN
            EXIT WHEN remaining < most;
            is_going_on := false;
        ELSIF NOT is_lap_over THEN
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
COMMENT ON FUNCTION workspace_db_claim_jobs(
    text, text, integer, interval, uuid, text[], integer[], uuid[], text[], integer[], timestamptz[], uuid[]
) IS 'Leases due jobs of a queue to a worker, at most `most`, fairly between workspaces and within the caps. Starts at the given lane positions, if jobs follow them.';

-- A plain expression, which the planner can inline; a subquery would run once per job.
CREATE FUNCTION workspace_db_status_after(outcome text, is_to_stop boolean, was_last_attempt boolean) RETURNS job_status
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN outcome = 'completed' THEN 'completed'::job_status
    WHEN outcome = 'failed' THEN 'failed'
    WHEN outcome = 'cancelled' OR is_to_stop THEN 'cancelled'
    WHEN outcome = 'retried' AND was_last_attempt THEN 'failed'
    ELSE 'queued'
END;
COMMENT ON FUNCTION workspace_db_status_after(text, boolean, boolean) IS
    'State of a job after a run, by its outcome, a request to cancel, and the attempts left.';

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
        status = workspace_db_status_after(done.outcome, cancel_requested_at IS NOT NULL, attempts >= max_attempts),
        -- A job that was not started keeps its place.
        scheduled_at = CASE WHEN done.outcome <> 'released'
            AND workspace_db_status_after(done.outcome, cancel_requested_at IS NOT NULL, attempts >= max_attempts) = 'queued'
            THEN moment + done.delay_ms * interval '1 millisecond' ELSE scheduled_at END,
        completed_at = CASE done.outcome WHEN 'completed' THEN moment END,
        cancelled_at = CASE workspace_db_status_after(done.outcome, cancel_requested_at IS NOT NULL, attempts >= max_attempts)
            WHEN 'cancelled' THEN moment END,
        result = CASE done.outcome WHEN 'completed' THEN done.result END,
        -- An attempt that the handler did not use does not count.
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
    'Ends jobs by their outcomes: completed, retried, failed, cancelled, snoozed or released. Returns the leases that were valid; other jobs stay unchanged. Fails if it would wait for a lock longer than patience_ms.';

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
        -- This transaction holds the row until it ends, so its commit needs no lease. The timeout makes sure that it ends.
        PERFORM set_config('app.finished_job', job::text, true), set_config('idle_in_transaction_session_timeout', '30s', true);
    END IF;
    RETURN FOUND;
END
$function$;
COMMENT ON FUNCTION workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb) IS
    'Ends one job as workspace_db_finish_jobs does, in the transaction of its work. Returns true if the lease was valid.';

CREATE FUNCTION workspace_db_hold_lease(of_workspace uuid, job uuid, lease uuid) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off
AS $function$
BEGIN
    -- The lock keeps rescue from taking the job before the commit that follows.
    PERFORM FROM jobs j WHERE j.workspace_id = of_workspace AND j.id = job AND j.lease_token = lease
        AND j.lease_expires_at > clock_timestamp() FOR SHARE;
    IF NOT FOUND AND current_setting('app.finished_job', true) IS DISTINCT FROM job::text THEN
        RAISE EXCEPTION 'the lease of job % is over', job USING CONSTRAINT = 'workspace_db_lease';
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_hold_lease(uuid, uuid, uuid) IS
    'Last statement of every transaction of a running job: fails if the worker has lost the lease, so that nothing is committed.';

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
        -- Skips a job whose own transaction is about to finish it, since all other jobs would wait for that transaction.
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
    'Extends valid leases. Returns for each: held, stop (cancellation was requested), busy (another statement has the row), or lost.';

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
        -- A heartbeat in the future was written before the server's clock was set back.
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
    'Requeues jobs whose lease has expired, at most `most`; a job without attempts left fails.';

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
    'Cancels a queued job, or asks the worker of a running job to stop. Returns the state of the job.';

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
    'Requeues a queued, failed or cancelled job to run now, with at least one attempt left. A running or completed job stays unchanged.';

REVOKE EXECUTE ON FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
), workspace_db_claim_jobs(
    text, text, integer, interval, uuid, text[], integer[], uuid[], text[], integer[], timestamptz[], uuid[]
),
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
GRANT EXECUTE ON FUNCTION workspace_db_claim_jobs(
    text, text, integer, interval, uuid, text[], integer[], uuid[], text[], integer[], timestamptz[], uuid[]
),
    workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval),
    workspace_db_rescue_jobs(integer) TO workspace_platform;
