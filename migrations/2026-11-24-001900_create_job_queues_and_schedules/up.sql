CREATE TABLE job_queues (
    name text NOT NULL,
    paused_at timestamptz,
    max_running_per_workspace integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_queues_pkey PRIMARY KEY (name),
    CONSTRAINT job_queues_name_check CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT job_queues_max_running_per_workspace_check CHECK (max_running_per_workspace > 0)
);
COMMENT ON TABLE job_queues IS 'Settings of a queue; a queue without a row is neither paused nor capped.';
COMMENT ON COLUMN job_queues.name IS 'Name of the queue.';
COMMENT ON COLUMN job_queues.paused_at IS 'Time from which no job is claimed.';
COMMENT ON COLUMN job_queues.max_running_per_workspace IS 'Maximum number of jobs of one workspace that run at once, over all workers.';
COMMENT ON COLUMN job_queues.created_at IS 'Time of insertion.';
COMMENT ON COLUMN job_queues.updated_at IS 'Time of the last change, set by the statement that makes it.';
ALTER TABLE job_queues ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_queues FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON job_queues TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_queues TO workspace_platform;
SELECT workspace_db_refuse_unreadable('job_queues');

-- A scheduler enqueues an occurrence and advances the schedule in one transaction, so that no occurrence is enqueued twice or
-- skipped.
CREATE TABLE job_schedules (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    cron text NOT NULL,
    time_zone text NOT NULL DEFAULT 'UTC',
    job_type text NOT NULL,
    queue text NOT NULL DEFAULT 'default',
    payload jsonb NOT NULL DEFAULT '{}',
    priority integer NOT NULL DEFAULT 5,
    max_attempts integer NOT NULL DEFAULT 3,
    next_at timestamptz,
    fired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_schedules_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT job_schedules_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT job_schedules_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT job_schedules_names_check CHECK (
        length(name) BETWEEN 1 AND 100 AND length(queue) BETWEEN 1 AND 100 AND length(job_type) BETWEEN 1 AND 100
    ),
    CONSTRAINT job_schedules_limits_check CHECK (priority >= 0 AND max_attempts BETWEEN 1 AND 1000),
    CONSTRAINT job_schedules_payload_check CHECK (pg_column_size(payload) <= 1048576)
);
CREATE INDEX job_schedules_next_at_idx ON job_schedules (next_at);
COMMENT ON TABLE job_schedules IS 'Schedules by which jobs are enqueued repeatedly.';
COMMENT ON COLUMN job_schedules.id IS 'Identity within the workspace.';
COMMENT ON COLUMN job_schedules.workspace_id IS 'The workspace.';
COMMENT ON COLUMN job_schedules.name IS 'Name, unique in the workspace.';
COMMENT ON COLUMN job_schedules.cron IS 'Cron expression of five fields, or six with seconds first.';
COMMENT ON COLUMN job_schedules.time_zone IS 'Time zone of the expression, a name of the IANA database.';
COMMENT ON COLUMN job_schedules.job_type IS 'Kind of the jobs.';
COMMENT ON COLUMN job_schedules.queue IS 'Queue of the jobs.';
COMMENT ON COLUMN job_schedules.payload IS 'Arguments of the jobs, as a JSON object.';
COMMENT ON COLUMN job_schedules.priority IS 'Priority of the jobs.';
COMMENT ON COLUMN job_schedules.max_attempts IS 'Maximum number of attempts of each job.';
COMMENT ON COLUMN job_schedules.next_at IS 'The next occurrence, the first without a job; NULL if there is none.';
COMMENT ON COLUMN job_schedules.fired_at IS 'Time at which the last occurrence was enqueued.';
COMMENT ON COLUMN job_schedules.created_at IS 'Time of insertion.';
COMMENT ON COLUMN job_schedules.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('job_schedules');
SELECT workspace_db_refuse_unreadable('job_schedules');
