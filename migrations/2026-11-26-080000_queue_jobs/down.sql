-- What the columns held is lost: leases, unique keys, results, and every error but the last. Running jobs stay so.
DROP FUNCTION workspace_db_retry_job(uuid, uuid);
DROP FUNCTION workspace_db_cancel_job(uuid, uuid);
DROP FUNCTION workspace_db_rescue_jobs(integer);
DROP FUNCTION workspace_db_heartbeat_jobs(uuid[], uuid[], uuid[], interval);
DROP FUNCTION workspace_db_hold_lease(uuid, uuid, uuid);
DROP FUNCTION workspace_db_finish_job_here(uuid, uuid, uuid, text, bigint, text, jsonb);
DROP FUNCTION workspace_db_finish_jobs(uuid[], uuid[], uuid[], text[], bigint[], text[], jsonb[], integer);
DROP FUNCTION workspace_db_claim_jobs(text, text, integer, interval, uuid, text[], integer[]);
DROP FUNCTION workspace_db_enqueue_jobs(
    uuid, text, text, uuid[], jsonb[], integer[], integer[], timestamptz[], text[], job_uniqueness, text
);
DROP TABLE job_queues;
ALTER TABLE jobs RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay,
    autovacuum_analyze_scale_factor
);
DROP INDEX jobs_failed_idx;
DROP INDEX jobs_unique_key;
DROP INDEX jobs_running_idx;
DROP INDEX jobs_queued_idx;
DROP FUNCTION workspace_db_holds_key(job_uniqueness, job_status);
ALTER TABLE jobs
    DROP CONSTRAINT jobs_payload_check,
    DROP CONSTRAINT jobs_names_check,
    DROP CONSTRAINT jobs_unique_check,
    DROP CONSTRAINT jobs_attempts_check,
    DROP CONSTRAINT jobs_state_check,
    DROP COLUMN errors,
    DROP COLUMN result,
    DROP COLUMN cancelled_at,
    DROP COLUMN cancel_requested_at,
    DROP COLUMN leased_by,
    DROP COLUMN heartbeat_at,
    DROP COLUMN lease_expires_at,
    DROP COLUMN lease_token,
    DROP COLUMN uniqueness,
    DROP COLUMN unique_key,
    DROP COLUMN queue;
DROP TYPE job_uniqueness;
