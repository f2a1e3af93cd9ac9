-- What stands for an administrator or a service between two requests. The tokens themselves are nowhere: 256 random bits
-- each, of which these tables have the SHA-256.

CREATE TYPE admin_token_kind AS ENUM ('session', 'api', 'password');
COMMENT ON TYPE admin_token_kind IS 'What a token is for: a login, a program of the administrator''s, or setting a password once.';

CREATE TABLE admin_tokens (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    admin_user_id uuid NOT NULL,
    kind admin_token_kind NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    address text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT admin_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT admin_tokens_admin_user_id_fkey
        FOREIGN KEY (admin_user_id) REFERENCES admin_users (id) ON DELETE CASCADE,
    CONSTRAINT admin_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT admin_tokens_token_hash_check CHECK (octet_length(token_hash) = 32)
);
CREATE INDEX admin_tokens_admin_user_id_idx ON admin_tokens (admin_user_id);

COMMENT ON TABLE admin_tokens IS 'Sessions, API tokens and password secrets of administrators.';
COMMENT ON COLUMN admin_tokens.id IS 'Identity, by which it is listed and revoked.';
COMMENT ON COLUMN admin_tokens.admin_user_id IS 'The administrator.';
COMMENT ON COLUMN admin_tokens.kind IS 'What it is for.';
COMMENT ON COLUMN admin_tokens.name IS 'What it is called in lists: of a session, the browser.';
COMMENT ON COLUMN admin_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN admin_tokens.address IS 'Network address that it was made from, where it is known.';
COMMENT ON COLUMN admin_tokens.created_at IS 'Time of insertion.';
COMMENT ON COLUMN admin_tokens.last_used_at IS 'Time of the last use, to the minute.';
COMMENT ON COLUMN admin_tokens.expires_at IS 'End of its validity.';
COMMENT ON COLUMN admin_tokens.revoked_at IS 'Time from which it is no longer valid, or of its single use.';

ALTER TABLE admin_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON admin_tokens TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_tokens TO workspace_platform;

CREATE TYPE service_access AS ENUM ('read', 'write');
COMMENT ON TYPE service_access IS 'What a service may do in its workspace.';

CREATE TABLE service_tokens (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    access service_access NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT service_tokens_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT service_tokens_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT service_tokens_token_hash_key UNIQUE (workspace_id, token_hash),
    CONSTRAINT service_tokens_token_hash_check CHECK (octet_length(token_hash) = 32)
);

COMMENT ON TABLE service_tokens IS 'Tokens of services, each bound to one workspace.';
COMMENT ON COLUMN service_tokens.id IS 'Identity within the workspace.';
COMMENT ON COLUMN service_tokens.workspace_id IS 'The workspace.';
COMMENT ON COLUMN service_tokens.name IS 'What it is called in lists.';
COMMENT ON COLUMN service_tokens.access IS 'What the service may do.';
COMMENT ON COLUMN service_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN service_tokens.created_at IS 'Time of insertion.';
COMMENT ON COLUMN service_tokens.last_used_at IS 'Time of the last use, to the minute.';
COMMENT ON COLUMN service_tokens.expires_at IS 'End of its validity.';
COMMENT ON COLUMN service_tokens.revoked_at IS 'Time from which it is no longer valid.';

SELECT workspace_db_isolate('service_tokens');
REVOKE INSERT, UPDATE, DELETE ON service_tokens FROM workspace_app;

CREATE TABLE login_throttles (
    key bytea NOT NULL,
    free_at timestamptz NOT NULL,
    refused_at timestamptz,
    CONSTRAINT login_throttles_pkey PRIMARY KEY (key),
    CONSTRAINT login_throttles_key_check CHECK (octet_length(key) = 32)
);
CREATE INDEX login_throttles_free_at_idx ON login_throttles (free_at);

COMMENT ON TABLE login_throttles IS 'How many logins were tried of late, by account and by address: one row is one bucket.';
COMMENT ON COLUMN login_throttles.key IS 'SHA-256 of what is counted, so that nobody reads here who tried what.';
COMMENT ON COLUMN login_throttles.free_at IS 'When the bucket will be empty: the theoretical arrival time of the generic cell rate algorithm.';
COMMENT ON COLUMN login_throttles.refused_at IS 'Time of the last attempt, where the bucket was full.';

ALTER TABLE login_throttles ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_throttles FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON login_throttles TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttles TO workspace_platform;
