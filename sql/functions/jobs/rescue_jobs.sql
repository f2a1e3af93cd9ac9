CREATE OR REPLACE FUNCTION workspace_db_rescue_jobs(most integer)
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
