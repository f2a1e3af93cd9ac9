CREATE TABLE workspaces (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    slug text NOT NULL,
    name text NOT NULL,
    description text,
    default_language text NOT NULL DEFAULT 'en',
    is_active boolean NOT NULL DEFAULT true,
    is_published boolean NOT NULL DEFAULT false,
    confidence_threshold double precision NOT NULL DEFAULT 0.7,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workspaces_pkey PRIMARY KEY (id),
    CONSTRAINT workspaces_slug_key UNIQUE (slug),
    -- The audit log uses the nil UUID for the platform as a whole.
    CONSTRAINT workspaces_id_check CHECK (id <> '00000000-0000-0000-0000-000000000000'),
    CONSTRAINT workspaces_default_language_check
        CHECK (default_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    CONSTRAINT workspaces_confidence_threshold_check CHECK (confidence_threshold BETWEEN 0 AND 1)
);

COMMENT ON TABLE workspaces IS 'Tenants. Every tenant table refers to one of them.';
COMMENT ON COLUMN workspaces.id IS 'The workspace_id of every tenant table.';
COMMENT ON COLUMN workspaces.slug IS 'Name in URLs and on the command line, unique on the platform.';
COMMENT ON COLUMN workspaces.name IS 'Name for people.';
COMMENT ON COLUMN workspaces.description IS 'Purpose of the workspace.';
COMMENT ON COLUMN workspaces.default_language IS 'Language of its content and answers, a BCP 47 tag such as en or pt-BR.';
COMMENT ON COLUMN workspaces.is_active IS 'False if the workspace is archived.';
COMMENT ON COLUMN workspaces.is_published IS 'True if the public may read the workspace by its slug.';
COMMENT ON COLUMN workspaces.confidence_threshold IS 'Minimum confidence of an answer, 0 to 1.';
COMMENT ON COLUMN workspaces.created_at IS 'Time of insertion.';
COMMENT ON COLUMN workspaces.updated_at IS 'Time of the last change, set by the statement that makes it.';

-- An application reads the row of its workspace; only the platform creates, changes or deletes workspaces.
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace_isolation ON workspaces TO workspace_app
    USING (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
CREATE POLICY platform_access ON workspaces TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT ON workspaces TO workspace_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON workspaces TO workspace_platform;
SELECT workspace_db_let_readers_in();
SELECT workspace_db_refuse_unreadable('workspaces');

CREATE TABLE workspace_settings (
    workspace_id uuid NOT NULL,
    tone text DEFAULT 'professional',
    primary_color text,
    accent_color text,
    background_color text,
    welcome_message text,
    logo_url text,
    banner_url text,
    support_email text,
    fallback_language text,
    watermark_enabled boolean NOT NULL DEFAULT false,
    webhook_url text,
    webhook_secret bytea,
    webhook_events text[] NOT NULL DEFAULT '{}',
    temperature double precision DEFAULT 0.7,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    audit_retention_days integer,
    conversation_retention_days integer,
    event_retention_days integer,
    job_retention_days integer,
    CONSTRAINT workspace_settings_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT workspace_settings_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT workspace_settings_fallback_language_check
        CHECK (fallback_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    -- The header of a sealed secret: version 1, key id (8 bytes), nonce (24), then at least the tag (16).
    CONSTRAINT workspace_settings_webhook_secret_check
        CHECK (octet_length(webhook_secret) >= 49 AND get_byte(webhook_secret, 0) = 1),
    CONSTRAINT workspace_settings_webhook_events_check CHECK (array_position(webhook_events, NULL) IS NULL),
    CONSTRAINT workspace_settings_temperature_check CHECK (temperature BETWEEN 0 AND 2),
    CONSTRAINT workspace_settings_retention_check CHECK (
        audit_retention_days BETWEEN 1 AND 36500 AND conversation_retention_days BETWEEN 1 AND 36500
        AND event_retention_days BETWEEN 1 AND 36500 AND job_retention_days BETWEEN 1 AND 36500
    )
);

COMMENT ON TABLE workspace_settings IS 'Appearance and behaviour of a workspace, one row each. Language, threshold and publication are columns of workspaces.';
COMMENT ON COLUMN workspace_settings.workspace_id IS 'The workspace, and the primary key.';
COMMENT ON COLUMN workspace_settings.tone IS 'Tone of the answers.';
COMMENT ON COLUMN workspace_settings.primary_color IS 'Main colour of the branding.';
COMMENT ON COLUMN workspace_settings.accent_color IS 'Accent colour of the branding.';
COMMENT ON COLUMN workspace_settings.background_color IS 'Background colour of the branding.';
COMMENT ON COLUMN workspace_settings.welcome_message IS 'Greeting for a visitor.';
COMMENT ON COLUMN workspace_settings.logo_url IS 'URL of the logo.';
COMMENT ON COLUMN workspace_settings.banner_url IS 'URL of the banner.';
COMMENT ON COLUMN workspace_settings.support_email IS 'Email address for visitors who need a person.';
COMMENT ON COLUMN workspace_settings.fallback_language IS 'Language if the visitor''s own is not available, a BCP 47 tag.';
COMMENT ON COLUMN workspace_settings.watermark_enabled IS 'True if answers show the platform''s watermark.';
COMMENT ON COLUMN workspace_settings.webhook_url IS 'Default URL for webhooks.';
COMMENT ON COLUMN workspace_settings.webhook_secret IS 'Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.';
COMMENT ON COLUMN workspace_settings.webhook_events IS 'Names of the events that the default webhook receives.';
COMMENT ON COLUMN workspace_settings.temperature IS 'Sampling temperature of the model, 0 to 2.';
COMMENT ON COLUMN workspace_settings.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN workspace_settings.created_at IS 'Time of insertion.';
COMMENT ON COLUMN workspace_settings.updated_at IS 'Time of the last change, set by the statement that makes it.';
COMMENT ON COLUMN workspace_settings.audit_retention_days IS 'Days that audit entries are kept, if more than the platform''s default.';
COMMENT ON COLUMN workspace_settings.conversation_retention_days IS 'Days that closed conversations are kept; NULL for the platform''s default.';
COMMENT ON COLUMN workspace_settings.event_retention_days IS 'Days that analytics events are kept; NULL for the platform''s default.';
COMMENT ON COLUMN workspace_settings.job_retention_days IS 'Days that finished jobs are kept; NULL for the platform''s default.';

SELECT workspace_db_isolate('workspace_settings');
-- auth changes settings and memberships on the platform's login, and writes an audit entry.
REVOKE INSERT, UPDATE, DELETE ON workspace_settings FROM workspace_app;
SELECT workspace_db_refuse_unreadable('workspace_settings');

CREATE TABLE workspace_admins (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    admin_user_id uuid NOT NULL,
    role admin_role NOT NULL DEFAULT 'admin',
    invited_at timestamptz NOT NULL DEFAULT now(),
    joined_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    invitation_hash bytea,
    invitation_expires_at timestamptz,
    CONSTRAINT workspace_admins_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT workspace_admins_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT workspace_admins_admin_user_id_fkey
        FOREIGN KEY (admin_user_id) REFERENCES admin_users (id) ON DELETE CASCADE,
    CONSTRAINT workspace_admins_admin_user_id_key UNIQUE (workspace_id, admin_user_id),
    CONSTRAINT workspace_admins_invitation_check CHECK (
        (invitation_hash IS NULL) = (invitation_expires_at IS NULL)
        AND (invitation_hash IS NULL OR (octet_length(invitation_hash) = 32 AND joined_at IS NULL))
    )
);
CREATE INDEX workspace_admins_admin_user_id_idx ON workspace_admins (admin_user_id);
CREATE UNIQUE INDEX workspace_admins_invitation_hash_key ON workspace_admins (workspace_id, invitation_hash);

COMMENT ON TABLE workspace_admins IS 'Members: the administrators of a workspace and their roles.';
COMMENT ON COLUMN workspace_admins.id IS 'Identity within the workspace.';
COMMENT ON COLUMN workspace_admins.workspace_id IS 'The workspace.';
COMMENT ON COLUMN workspace_admins.admin_user_id IS 'The administrator.';
COMMENT ON COLUMN workspace_admins.role IS 'Role in this workspace.';
COMMENT ON COLUMN workspace_admins.invited_at IS 'Time of the invitation.';
COMMENT ON COLUMN workspace_admins.joined_at IS 'Time of acceptance; NULL for an open invitation.';
COMMENT ON COLUMN workspace_admins.created_at IS 'Time of insertion.';
COMMENT ON COLUMN workspace_admins.invitation_hash IS 'SHA-256 of the token that accepts the invitation once.';
COMMENT ON COLUMN workspace_admins.invitation_expires_at IS 'Expiry of the invitation.';

SELECT workspace_db_isolate('workspace_admins');
REVOKE INSERT, UPDATE, DELETE ON workspace_admins FROM workspace_app;
SELECT workspace_db_refuse_unreadable('workspace_admins');
