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
