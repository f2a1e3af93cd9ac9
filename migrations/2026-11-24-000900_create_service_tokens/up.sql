CREATE TYPE service_access AS ENUM ('read', 'write');
COMMENT ON TYPE service_access IS 'Access of a service to its workspace.';

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
COMMENT ON COLUMN service_tokens.name IS 'Display name.';
COMMENT ON COLUMN service_tokens.access IS 'Read, or read and write.';
COMMENT ON COLUMN service_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN service_tokens.created_at IS 'Time of insertion.';
COMMENT ON COLUMN service_tokens.last_used_at IS 'Time of the last use, to the minute.';
COMMENT ON COLUMN service_tokens.expires_at IS 'End of its validity.';
COMMENT ON COLUMN service_tokens.revoked_at IS 'Time of revocation.';

SELECT workspace_db_isolate('service_tokens');
REVOKE INSERT, UPDATE, DELETE ON service_tokens FROM workspace_app;
SELECT workspace_db_refuse_unreadable('service_tokens');
