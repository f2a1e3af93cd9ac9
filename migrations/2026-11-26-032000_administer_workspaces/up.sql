-- Invitations are memberships that nobody has accepted yet; how long a workspace keeps what passes is a setting; and both,
-- with the workspace's own row, are changed by administrators alone, who leave an entry in the audit log.

-- Both tables have a row a membership or a workspace, so what is checked and indexed here is over at once.
ALTER TABLE workspace_admins
    ADD COLUMN invitation_hash bytea,
    ADD COLUMN invitation_expires_at timestamptz,
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT workspace_admins_invitation_check CHECK (
        (invitation_hash IS NULL) = (invitation_expires_at IS NULL)
        AND (invitation_hash IS NULL OR (octet_length(invitation_hash) = 32 AND joined_at IS NULL))
    );
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX workspace_admins_invitation_hash_key ON workspace_admins (workspace_id, invitation_hash);
COMMENT ON COLUMN workspace_admins.invitation_hash IS 'SHA-256 of the token that accepts the invitation, once.';
COMMENT ON COLUMN workspace_admins.invitation_expires_at IS 'Time until which the invitation can be accepted.';

ALTER TABLE workspace_settings
    ADD COLUMN audit_retention_days integer,
    ADD COLUMN conversation_retention_days integer,
    ADD COLUMN event_retention_days integer,
    ADD COLUMN job_retention_days integer,
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT workspace_settings_retention_check CHECK (
        audit_retention_days BETWEEN 1 AND 36500 AND conversation_retention_days BETWEEN 1 AND 36500
        AND event_retention_days BETWEEN 1 AND 36500 AND job_retention_days BETWEEN 1 AND 36500
    );
COMMENT ON COLUMN workspace_settings.audit_retention_days IS 'Days that entries of the audit log are kept, where that is more than the platform''s.';
COMMENT ON COLUMN workspace_settings.conversation_retention_days IS 'Days that closed conversations are kept; NULL for the platform''s.';
COMMENT ON COLUMN workspace_settings.event_retention_days IS 'Days that analytics events are kept; NULL for the platform''s.';
COMMENT ON COLUMN workspace_settings.job_retention_days IS 'Days that finished jobs are kept; NULL for the platform''s.';

ALTER TABLE admin_users ADD COLUMN is_invited boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN admin_users.is_invited IS 'Whether an invitation made the account and nobody has entered it yet.';

-- What the audit log means by it is no workspace.
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE workspaces ADD CONSTRAINT workspaces_id_check CHECK (id <> '00000000-0000-0000-0000-000000000000');

REVOKE INSERT, UPDATE, DELETE ON workspace_admins, workspace_settings FROM workspace_app;
REVOKE UPDATE (name, description, default_language, is_published, confidence_threshold, updated_at)
    ON workspaces FROM workspace_app;
