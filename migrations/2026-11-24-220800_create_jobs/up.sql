CREATE TYPE job_status AS ENUM ('queued', 'running', 'completed', 'failed', 'cancelled');
COMMENT ON TYPE job_status IS 'State of a job.';

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
    CONSTRAINT jobs_pkey PRIMARY KEY (workspace_id, id),
    -- Not SET NULL: a deleted workspace's payloads would stay behind, belonging to nobody.
    CONSTRAINT jobs_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT jobs_priority_check CHECK (priority >= 0)
);

COMMENT ON TABLE jobs IS 'Work to be done in the background, each for one workspace.';
COMMENT ON COLUMN jobs.id IS 'Identity within the workspace.';
COMMENT ON COLUMN jobs.workspace_id IS 'The workspace that the work is for.';
COMMENT ON COLUMN jobs.job_type IS 'Kind of work.';
COMMENT ON COLUMN jobs.status IS 'State.';
COMMENT ON COLUMN jobs.payload IS 'Arguments, as a JSON object.';
COMMENT ON COLUMN jobs.attempts IS 'How often it was started.';
COMMENT ON COLUMN jobs.max_attempts IS 'How often it may be started.';
COMMENT ON COLUMN jobs.priority IS 'Order among those that are due, the smallest first.';
COMMENT ON COLUMN jobs.scheduled_at IS 'Earliest time to start.';
COMMENT ON COLUMN jobs.started_at IS 'Time of the last start.';
COMMENT ON COLUMN jobs.completed_at IS 'Time of completion.';
COMMENT ON COLUMN jobs.failed_at IS 'Time of the last failure.';
COMMENT ON COLUMN jobs.last_error IS 'What the last failure said.';
COMMENT ON COLUMN jobs.created_at IS 'Time of insertion.';
COMMENT ON COLUMN jobs.updated_at IS 'Time of the last change, set by the statement that makes it.';
