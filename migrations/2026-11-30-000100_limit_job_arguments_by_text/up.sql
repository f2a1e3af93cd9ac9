-- pg_column_size measures the compressed value, so the limit depended on how a value arrived: a job that was enqueued could be
-- exported, but neither imported nor restored. The length of the text is always the same.

-- The new limit rejects every change of a job with longer arguments, so a claim of it would fail, and with it the queue. Such
-- jobs fail here and keep their arguments.
SET LOCAL ROLE workspace_platform;
UPDATE jobs
SET status = 'failed', failed_at = now(), last_error = 'its arguments are longer than 1,048,576 bytes as text',
    lease_token = NULL, lease_expires_at = NULL, heartbeat_at = NULL, leased_by = NULL, updated_at = now()
WHERE status IN ('queued', 'running') AND octet_length(payload::text) > 1048576;
UPDATE job_schedules SET next_at = NULL, updated_at = now()
WHERE next_at IS NOT NULL AND octet_length(payload::text) > 1048576;
RESET ROLE;

ALTER TABLE jobs
    -- The same statement adds the stricter constraint.
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT jobs_payload_check,
    ADD CONSTRAINT jobs_payload_check CHECK (octet_length(payload::text) <= 1048576) NOT VALID;
ALTER TABLE job_schedules
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT job_schedules_payload_check,
    ADD CONSTRAINT job_schedules_payload_check CHECK (octet_length(payload::text) <= 1048576) NOT VALID;
