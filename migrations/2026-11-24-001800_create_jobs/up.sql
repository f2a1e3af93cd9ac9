CREATE TYPE job_status AS ENUM ('queued', 'running', 'completed', 'failed', 'cancelled');
COMMENT ON TYPE job_status IS 'State of a job.';

CREATE TYPE job_uniqueness AS ENUM ('queued', 'unfinished', 'succeeded', 'kept');
COMMENT ON TYPE job_uniqueness IS 'States in which a job reserves its unique key.';

CREATE FUNCTION workspace_db_holds_key(until job_uniqueness, status job_status) RETURNS boolean
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

CREATE TABLE jobs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    job_type text NOT NULL,
    status job_status NOT NULL DEFAULT 'queued',
    payload jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 3,
    priority integer NOT NULL DEFAULT 5,
    scheduled_at timestamptz DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    queue text NOT NULL DEFAULT 'default',
    unique_key text,
    uniqueness job_uniqueness,
    lease_token uuid,
    lease_expires_at timestamptz,
    heartbeat_at timestamptz,
    leased_by text,
    cancel_requested_at timestamptz,
    cancelled_at timestamptz,
    result jsonb,
    errors jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT jobs_pkey PRIMARY KEY (workspace_id, id),
    -- With SET NULL, the payloads of a deleted workspace would remain.
    CONSTRAINT jobs_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT jobs_priority_check CHECK (priority >= 0),
    CONSTRAINT jobs_state_check CHECK (
        (status = 'running') = (lease_token IS NOT NULL)
        AND (status = 'running') = (lease_expires_at IS NOT NULL)
        AND (status = 'running') = (heartbeat_at IS NOT NULL)
        AND (status = 'running') = (leased_by IS NOT NULL)
        AND (status = 'completed') = (completed_at IS NOT NULL)
        AND (status = 'cancelled') = (cancelled_at IS NOT NULL)
        AND (status = 'completed' OR result IS NULL)
        AND (status <> 'queued' OR scheduled_at IS NOT NULL)
        AND (status <> 'running' OR started_at IS NOT NULL)
        AND (status <> 'failed' OR (failed_at IS NOT NULL AND last_error IS NOT NULL))
    ),
    CONSTRAINT jobs_attempts_check CHECK (
        max_attempts BETWEEN 1 AND 1000 AND attempts BETWEEN 0 AND max_attempts
        AND (status <> 'queued' OR attempts < max_attempts) AND (status <> 'running' OR attempts > 0)
    ),
    CONSTRAINT jobs_unique_check CHECK (
        (unique_key IS NULL) = (uniqueness IS NULL) AND length(unique_key) BETWEEN 1 AND 500
        AND (uniqueness <> 'queued' OR status <> 'running')
    ),
    CONSTRAINT jobs_names_check CHECK (length(queue) BETWEEN 1 AND 100 AND length(job_type) BETWEEN 1 AND 100),
    -- One megabyte: store larger arguments in another table and refer to them.
    CONSTRAINT jobs_payload_check CHECK (pg_column_size(payload) <= 1048576)
) WITH (
    -- Each job leaves two dead rows. By default vacuum would wait until they are a fifth of the table.
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05
);
-- The due jobs of one workspace, kind and priority are a prefix of this index, and a claim skips from one prefix to the next,
-- however many jobs each has.
CREATE INDEX jobs_queued_idx ON jobs (queue, workspace_id, job_type, priority, scheduled_at, id) WHERE status = 'queued';
CREATE INDEX jobs_running_idx ON jobs (workspace_id, queue, job_type) WHERE status = 'running';
CREATE UNIQUE INDEX jobs_unique_key ON jobs (workspace_id, job_type, unique_key)
    WHERE workspace_db_holds_key(uniqueness, status);
CREATE INDEX jobs_failed_idx ON jobs (workspace_id, failed_at, id) WHERE status = 'failed';

COMMENT ON TABLE jobs IS 'Background jobs, each of one workspace.';
COMMENT ON COLUMN jobs.id IS 'Identity within the workspace.';
COMMENT ON COLUMN jobs.workspace_id IS 'The workspace.';
COMMENT ON COLUMN jobs.job_type IS 'Kind of job.';
COMMENT ON COLUMN jobs.status IS 'State.';
COMMENT ON COLUMN jobs.payload IS 'Arguments, as a JSON object.';
COMMENT ON COLUMN jobs.attempts IS 'Number of attempts so far.';
COMMENT ON COLUMN jobs.max_attempts IS 'Maximum number of attempts.';
COMMENT ON COLUMN jobs.priority IS 'Order among due jobs, the smallest first.';
COMMENT ON COLUMN jobs.scheduled_at IS 'Earliest start.';
COMMENT ON COLUMN jobs.started_at IS 'Time of the last start.';
COMMENT ON COLUMN jobs.completed_at IS 'Time of completion.';
COMMENT ON COLUMN jobs.failed_at IS 'Time of the last failure.';
COMMENT ON COLUMN jobs.last_error IS 'Error of the last failure.';
COMMENT ON COLUMN jobs.created_at IS 'Time of insertion.';
COMMENT ON COLUMN jobs.updated_at IS 'Time of the last change, set by the statement that makes it.';
COMMENT ON COLUMN jobs.queue IS 'Queue of the job.';
COMMENT ON COLUMN jobs.unique_key IS 'Key that no other job of this kind in the workspace may have, in the states of uniqueness.';
COMMENT ON COLUMN jobs.uniqueness IS 'States in which the job reserves unique_key.';
COMMENT ON COLUMN jobs.lease_token IS 'Random token of the claim, which every change by the worker must present. Set while the job runs.';
COMMENT ON COLUMN jobs.lease_expires_at IS 'End of the lease, unless a heartbeat extends it.';
COMMENT ON COLUMN jobs.heartbeat_at IS 'Time of the claim or of the last heartbeat.';
COMMENT ON COLUMN jobs.leased_by IS 'Name of the worker that runs it.';
COMMENT ON COLUMN jobs.cancel_requested_at IS 'Time of the request to cancel it.';
COMMENT ON COLUMN jobs.cancelled_at IS 'Time of cancellation.';
COMMENT ON COLUMN jobs.result IS 'Value that the handler returned.';
COMMENT ON COLUMN jobs.errors IS 'All failures: a list of {attempt, at, error}.';
COMMENT ON INDEX jobs_queued_idx IS 'Queued jobs by workspace, kind and priority, for claims.';
COMMENT ON INDEX jobs_running_idx IS 'Running jobs, for caps and for rescue.';
COMMENT ON INDEX jobs_failed_idx IS 'Failed jobs (dead letters), for lists.';

SELECT workspace_db_isolate('jobs');
SELECT workspace_db_refuse_unreadable('jobs');
