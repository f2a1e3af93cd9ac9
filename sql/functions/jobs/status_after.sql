-- A plain expression, which the planner can inline; a subquery would run once per job.
CREATE OR REPLACE FUNCTION workspace_db_status_after(outcome text, is_to_stop boolean, was_last_attempt boolean) RETURNS job_status
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
