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
    CONSTRAINT workspaces_default_language_check
        CHECK (default_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    CONSTRAINT workspaces_confidence_threshold_check CHECK (confidence_threshold BETWEEN 0 AND 1)
);

COMMENT ON TABLE workspaces IS 'The tenants. Every other table but admin_users belongs to one of them.';
COMMENT ON COLUMN workspaces.id IS 'The workspace_id of every tenant table.';
COMMENT ON COLUMN workspaces.slug IS 'Name in addresses and on the command line, unique on the platform.';
COMMENT ON COLUMN workspaces.name IS 'Name for people.';
COMMENT ON COLUMN workspaces.description IS 'What the workspace is for.';
COMMENT ON COLUMN workspaces.default_language IS 'Language of its content and answers, a BCP 47 tag such as en or pt-BR.';
COMMENT ON COLUMN workspaces.is_active IS 'Whether the workspace is in use.';
COMMENT ON COLUMN workspaces.is_published IS 'Whether the public side may be entered by slug.';
COMMENT ON COLUMN workspaces.confidence_threshold IS 'Least confidence, 0 to 1, at which an answer is given.';
COMMENT ON COLUMN workspaces.created_at IS 'Time of insertion.';
COMMENT ON COLUMN workspaces.updated_at IS 'Time of the last change, set by the statement that makes it.';

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
    CONSTRAINT workspace_settings_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT workspace_settings_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT workspace_settings_fallback_language_check
        CHECK (fallback_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    -- The header of a sealed secret: version 1, key id (8 bytes), nonce (24), then at least the tag (16).
    CONSTRAINT workspace_settings_webhook_secret_check
        CHECK (octet_length(webhook_secret) >= 49 AND get_byte(webhook_secret, 0) = 1),
    CONSTRAINT workspace_settings_webhook_events_check CHECK (array_position(webhook_events, NULL) IS NULL),
    CONSTRAINT workspace_settings_temperature_check CHECK (temperature BETWEEN 0 AND 2)
);

COMMENT ON TABLE workspace_settings IS 'Look and behaviour of a workspace, one row each. Language, threshold and publication live in workspaces alone.';
COMMENT ON COLUMN workspace_settings.workspace_id IS 'The workspace, and the primary key.';
COMMENT ON COLUMN workspace_settings.tone IS 'Manner of the answers.';
COMMENT ON COLUMN workspace_settings.primary_color IS 'Main colour of the branding.';
COMMENT ON COLUMN workspace_settings.accent_color IS 'Accent colour of the branding.';
COMMENT ON COLUMN workspace_settings.background_color IS 'Background colour of the branding.';
COMMENT ON COLUMN workspace_settings.welcome_message IS 'First words to a visitor.';
COMMENT ON COLUMN workspace_settings.logo_url IS 'Address of the logo.';
COMMENT ON COLUMN workspace_settings.banner_url IS 'Address of the banner.';
COMMENT ON COLUMN workspace_settings.support_email IS 'Where a visitor finds a person.';
COMMENT ON COLUMN workspace_settings.fallback_language IS 'Language where the visitor''s own is not served, a BCP 47 tag.';
COMMENT ON COLUMN workspace_settings.watermark_enabled IS 'Whether answers carry the platform''s mark.';
COMMENT ON COLUMN workspace_settings.webhook_url IS 'Default address for webhooks.';
COMMENT ON COLUMN workspace_settings.webhook_secret IS 'Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.';
COMMENT ON COLUMN workspace_settings.webhook_events IS 'Names of the events that the default webhook receives.';
COMMENT ON COLUMN workspace_settings.temperature IS 'Sampling temperature of the model, 0 to 2.';
COMMENT ON COLUMN workspace_settings.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN workspace_settings.created_at IS 'Time of insertion.';
COMMENT ON COLUMN workspace_settings.updated_at IS 'Time of the last change, set by the statement that makes it.';

CREATE TABLE workspace_admins (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    admin_user_id uuid NOT NULL,
    role admin_role NOT NULL DEFAULT 'admin',
    invited_at timestamptz NOT NULL DEFAULT now(),
    joined_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workspace_admins_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT workspace_admins_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT workspace_admins_admin_user_id_fkey
        FOREIGN KEY (admin_user_id) REFERENCES admin_users (id) ON DELETE CASCADE,
    CONSTRAINT workspace_admins_admin_user_id_key UNIQUE (workspace_id, admin_user_id)
);
CREATE INDEX workspace_admins_admin_user_id_idx ON workspace_admins (admin_user_id);

COMMENT ON TABLE workspace_admins IS 'Which administrators may enter a workspace, and as what.';
COMMENT ON COLUMN workspace_admins.id IS 'Identity within the workspace.';
COMMENT ON COLUMN workspace_admins.workspace_id IS 'The workspace.';
COMMENT ON COLUMN workspace_admins.admin_user_id IS 'The administrator.';
COMMENT ON COLUMN workspace_admins.role IS 'Role in this workspace.';
COMMENT ON COLUMN workspace_admins.invited_at IS 'Time of the invitation.';
COMMENT ON COLUMN workspace_admins.joined_at IS 'Time of the acceptance, NULL while it is open.';
COMMENT ON COLUMN workspace_admins.created_at IS 'Time of insertion.';
