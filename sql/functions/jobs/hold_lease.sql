CREATE OR REPLACE FUNCTION workspace_db_hold_lease(of_workspace uuid, job uuid, lease uuid) RETURNS void
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
