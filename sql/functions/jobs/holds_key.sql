CREATE OR REPLACE FUNCTION workspace_db_holds_key(until job_uniqueness, status job_status) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE until
    WHEN 'queued' THEN status = 'queued'
    WHEN 'unfinished' THEN status IN ('queued', 'running')
    WHEN 'succeeded' THEN status IN ('queued', 'running', 'completed')
    WHEN 'kept' THEN true
    ELSE false
END;
COMMENT ON FUNCTION workspace_db_holds_key(job_uniqueness, job_status) IS
    'True if a job of this uniqueness and state reserves its unique key.';
