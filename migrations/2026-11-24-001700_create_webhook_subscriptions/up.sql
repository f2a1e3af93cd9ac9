CREATE TABLE webhook_subscriptions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    url text NOT NULL,
    secret bytea,
    events text[] NOT NULL DEFAULT '{}',
    headers jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_subscriptions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT webhook_subscriptions_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT webhook_subscriptions_url_key UNIQUE (workspace_id, url),
    -- The header of a sealed secret: version 1, key id (8 bytes), nonce (24), then at least the tag (16).
    CONSTRAINT webhook_subscriptions_secret_check CHECK (octet_length(secret) >= 49 AND get_byte(secret, 0) = 1),
    CONSTRAINT webhook_subscriptions_events_check CHECK (array_position(events, NULL) IS NULL)
);

COMMENT ON TABLE webhook_subscriptions IS 'URLs to which a workspace sends its events.';
COMMENT ON COLUMN webhook_subscriptions.id IS 'Identity within the workspace.';
COMMENT ON COLUMN webhook_subscriptions.workspace_id IS 'The workspace.';
COMMENT ON COLUMN webhook_subscriptions.url IS 'The URL, unique within the workspace.';
COMMENT ON COLUMN webhook_subscriptions.secret IS 'Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.';
COMMENT ON COLUMN webhook_subscriptions.events IS 'Names of the events to send.';
COMMENT ON COLUMN webhook_subscriptions.headers IS 'Additional headers of a delivery, as a JSON object of strings.';
COMMENT ON COLUMN webhook_subscriptions.is_active IS 'True if events are sent.';
COMMENT ON COLUMN webhook_subscriptions.created_at IS 'Time of insertion.';
COMMENT ON COLUMN webhook_subscriptions.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('webhook_subscriptions');
SELECT workspace_db_refuse_unreadable('webhook_subscriptions');
