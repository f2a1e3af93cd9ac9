CREATE OR REPLACE FUNCTION workspace_db_heartbeat_jobs(workspaces uuid[], ids uuid[], leases uuid[], lease interval)
RETURNS TABLE (asked uuid, verdict text)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH shown AS (
        SELECT * FROM unnest(workspaces, ids, leases) AS a (workspace_id, id, token)
    ), free AS MATERIALIZED (
        -- Skips a job whose own transaction is about to finish it, since all other jobs would wait for that transaction.
        SELECT j.workspace_id, j.id FROM shown a JOIN jobs j ON j.workspace_id = a.workspace_id AND j.id = a.id
        WHERE j.lease_token = a.token AND j.lease_expires_at > moment
        FOR NO KEY UPDATE OF j SKIP LOCKED
    ), extended AS (
        UPDATE jobs j SET heartbeat_at = moment, lease_expires_at = moment + lease
        FROM free WHERE j.workspace_id = free.workspace_id AND j.id = free.id
        RETURNING j.lease_token, j.cancel_requested_at IS NOT NULL AS is_to_stop
    )
    SELECT a.token, CASE
        WHEN e.is_to_stop THEN 'stop'
        WHEN e.lease_token IS NOT NULL THEN 'held'
        WHEN EXISTS (SELECT FROM jobs j WHERE j.workspace_id = a.workspace_id AND j.id = a.id AND j.lease_token = a.token
            AND j.lease_expires_at > moment) THEN 'busy'
        ELSE 'lost'
    END
    FROM shown a LEFT JOIN extended e ON e.lease_token = a.token;
END
$function$;
COMMENT ON FUNCTION workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval) IS
    'Extends valid leases. Returns for each: held, stop (cancellation was requested), busy (another statement has the row), or lost.';
