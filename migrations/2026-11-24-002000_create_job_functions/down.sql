DROP FUNCTION workspace_db_retry_job(uuid, uuid);
DROP FUNCTION workspace_db_cancel_job(uuid, uuid);
DROP FUNCTION workspace_db_rescue_jobs(integer);
DROP FUNCTION workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval);
DROP FUNCTION workspace_db_hold_lease(uuid, uuid, uuid);
DROP FUNCTION workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb);
DROP FUNCTION workspace_db_finish_jobs(uuid[], uuid[], uuid[], text[], bigint[], text[], jsonb[], integer);
DROP FUNCTION workspace_db_status_after(text, boolean, boolean);
DROP FUNCTION workspace_db_claim_jobs(
    text, text, integer, interval, uuid, text[], integer[], uuid[], text[], integer[], timestamptz[], uuid[]
);
DROP FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
);
