CREATE OR REPLACE FUNCTION workspace_db_retry_job(of_workspace uuid, job uuid)
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
