-- Tokens are 256 random bits. The database stores only their SHA-256.

CREATE TYPE admin_token_kind AS ENUM ('session', 'api', 'password');
COMMENT ON TYPE admin_token_kind IS 'Purpose of a token: a session, an API client, or setting a password once.';

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
COMMENT ON COLUMN admin_tokens.kind IS 'Purpose.';
COMMENT ON COLUMN admin_tokens.name IS 'Display name; the browser, for a session.';
COMMENT ON COLUMN admin_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN admin_tokens.address IS 'Network address of the client that created it, if known.';
COMMENT ON COLUMN admin_tokens.created_at IS 'Time of insertion.';
COMMENT ON COLUMN admin_tokens.last_used_at IS 'Time of the last use, to the minute.';
COMMENT ON COLUMN admin_tokens.expires_at IS 'End of its validity.';
COMMENT ON COLUMN admin_tokens.revoked_at IS 'Time of revocation, or of the single use.';

ALTER TABLE admin_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON admin_tokens TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_tokens TO workspace_platform;

SELECT workspace_db_refuse_unreadable('admin_tokens');

CREATE TABLE login_throttles (
    key bytea NOT NULL,
    free_at timestamptz NOT NULL,
    refused_at timestamptz,
    CONSTRAINT login_throttles_pkey PRIMARY KEY (key),
    CONSTRAINT login_throttles_key_check CHECK (octet_length(key) = 32)
);
CREATE INDEX login_throttles_free_at_idx ON login_throttles (free_at);

COMMENT ON TABLE login_throttles IS 'Recent login attempts by account and by address; each row is a bucket.';
COMMENT ON COLUMN login_throttles.key IS 'SHA-256 of the account or address, which hides who tried to log in.';
COMMENT ON COLUMN login_throttles.free_at IS 'Time at which the bucket is empty: the theoretical arrival time of the generic cell rate algorithm.';
COMMENT ON COLUMN login_throttles.refused_at IS 'Time of the last attempt that a full bucket refused.';

ALTER TABLE login_throttles ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_throttles FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON login_throttles TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttles TO workspace_platform;
SELECT workspace_db_refuse_unreadable('login_throttles');
