-- What a workspace has done again and again. Whichever scheduler comes first enqueues an occurrence and moves the
-- schedule on in one transaction, so that none comes twice and none is left out.
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
COMMENT ON TABLE job_schedules IS 'Jobs that are enqueued again and again, by the calendar.';
COMMENT ON COLUMN job_schedules.id IS 'Identity within the workspace.';
COMMENT ON COLUMN job_schedules.workspace_id IS 'The workspace that the jobs are for.';
COMMENT ON COLUMN job_schedules.name IS 'What it is known by in the workspace.';
COMMENT ON COLUMN job_schedules.cron IS 'When it fires, as five fields of cron, or six with seconds first.';
COMMENT ON COLUMN job_schedules.time_zone IS 'Time zone of those fields, by its name in the IANA database.';
COMMENT ON COLUMN job_schedules.job_type IS 'Kind of the jobs.';
COMMENT ON COLUMN job_schedules.queue IS 'Queue of the jobs.';
COMMENT ON COLUMN job_schedules.payload IS 'Arguments of the jobs, as a JSON object.';
COMMENT ON COLUMN job_schedules.priority IS 'Priority of the jobs.';
COMMENT ON COLUMN job_schedules.max_attempts IS 'How often each may be started.';
COMMENT ON COLUMN job_schedules.next_at IS 'The next occurrence, which is the first that has no job yet; NULL where there is none.';
COMMENT ON COLUMN job_schedules.fired_at IS 'Time at which the last occurrence got its job.';
COMMENT ON COLUMN job_schedules.created_at IS 'Time of insertion.';
COMMENT ON COLUMN job_schedules.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('job_schedules');
