-- Workspaces take turns, starting after the last workspace of the caller; within a workspace, priority and age decide. The function
-- reads one window of lanes (a workspace, kind and priority) after the other until it has enough jobs or has seen every
-- workspace. A claim that returns no row means that no job can be claimed.
CREATE OR REPLACE FUNCTION workspace_db_claim_jobs(
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
