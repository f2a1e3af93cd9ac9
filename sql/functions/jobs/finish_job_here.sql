CREATE OR REPLACE FUNCTION workspace_db_finish_job_here(
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
