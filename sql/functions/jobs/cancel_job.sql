CREATE OR REPLACE FUNCTION workspace_db_cancel_job(of_workspace uuid, job uuid) RETURNS SETOF job_status
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
