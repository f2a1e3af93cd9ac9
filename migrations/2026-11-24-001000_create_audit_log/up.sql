-- Each entry is written in the transaction of its action. No role may change an entry, and only retention may delete one.

CREATE TYPE audit_actor AS ENUM ('administrator', 'operator');
COMMENT ON TYPE audit_actor IS 'Kind of actor: an administrator with a session, or an operator with the platform''s login.';

CREATE TABLE audit_log (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- No foreign key: entries outlive their workspace. The nil UUID stands for the platform as a whole.
    workspace_id uuid NOT NULL,
    action text NOT NULL,
    actor audit_actor NOT NULL,
    admin_user_id uuid,
    reason text,
    address text,
    object_table text NOT NULL,
    object_id uuid,
    before jsonb,
    after jsonb,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_log_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT audit_log_action_check CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    CONSTRAINT audit_log_actor_check CHECK ((actor = 'administrator') = (admin_user_id IS NOT NULL))
);
CREATE INDEX audit_log_workspace_id_occurred_at_idx ON audit_log (workspace_id, occurred_at, id);
CREATE INDEX audit_log_occurred_at_idx ON audit_log (occurred_at, id);

COMMENT ON TABLE audit_log IS 'Audit entries. Append-only: no role updates an entry, and only workspace_db_expire_audit_log deletes entries.';
COMMENT ON COLUMN audit_log.id IS 'Identity within the workspace.';
COMMENT ON COLUMN audit_log.workspace_id IS 'The workspace, which may have been erased; the nil UUID for the platform as a whole.';
COMMENT ON COLUMN audit_log.action IS 'Action, such as workspace.publish.';
COMMENT ON COLUMN audit_log.actor IS 'Kind of actor.';
COMMENT ON COLUMN audit_log.admin_user_id IS 'The administrator, who may have been deleted.';
COMMENT ON COLUMN audit_log.reason IS 'Reason that an operator gave.';
COMMENT ON COLUMN audit_log.address IS 'Network address of the client, if known.';
COMMENT ON COLUMN audit_log.object_table IS 'Table of the changed row.';
COMMENT ON COLUMN audit_log.object_id IS 'Id of the changed row.';
COMMENT ON COLUMN audit_log.before IS 'Changed values before the action, without secrets.';
COMMENT ON COLUMN audit_log.after IS 'Changed values after the action, without secrets.';
COMMENT ON COLUMN audit_log.occurred_at IS 'Time of the transaction.';

SELECT workspace_db_isolate('audit_log');
REVOKE INSERT, UPDATE, DELETE ON audit_log FROM workspace_app;
REVOKE UPDATE, DELETE ON audit_log FROM workspace_platform;
SELECT workspace_db_refuse_unreadable('audit_log');

-- Retention is a function with the owner's rights: no login has the privilege, and an entry is kept for at least a day.
CREATE POLICY retention_reads ON audit_log FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY retention_deletes ON audit_log FOR DELETE TO CURRENT_USER
    USING (occurred_at < now() - interval '1 day');
CREATE FUNCTION workspace_db_expire_audit_log(of_workspace uuid, older_than timestamptz, most integer) RETURNS bigint
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
REVOKE EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO workspace_platform;
