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
