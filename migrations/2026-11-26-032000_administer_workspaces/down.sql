GRANT UPDATE (name, description, default_language, is_published, confidence_threshold, updated_at)
    ON workspaces TO workspace_app;
GRANT INSERT, UPDATE, DELETE ON workspace_admins, workspace_settings TO workspace_app;

ALTER TABLE workspaces DROP CONSTRAINT workspaces_id_check;

ALTER TABLE admin_users DROP COLUMN is_invited;

ALTER TABLE workspace_settings
    DROP COLUMN audit_retention_days,
    DROP COLUMN conversation_retention_days,
    DROP COLUMN event_retention_days,
    DROP COLUMN job_retention_days;

-- An invitation that is open stays as a membership that was never accepted.
ALTER TABLE workspace_admins
    DROP COLUMN invitation_hash,
    DROP COLUMN invitation_expires_at;
