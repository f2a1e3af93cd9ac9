CREATE OR REPLACE FUNCTION workspace_db_expire_audit_log(of_workspace uuid, older_than timestamptz, most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH expired AS (
        DELETE FROM audit_log WHERE (workspace_id, id) IN (
            SELECT workspace_id, id FROM audit_log
            WHERE workspace_id = of_workspace AND occurred_at < least(older_than, now() - interval '1 day')
            LIMIT most
        )
        RETURNING id
    )
    SELECT count(*) FROM expired;
END;
COMMENT ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) IS
    'Deletes audit entries of a workspace, at most `most`, that are older than the given time and than a day.';
