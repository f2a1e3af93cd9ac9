CREATE TABLE analytics_events (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    conversation_id uuid,
    message_id uuid,
    event_type text NOT NULL,
    user_identifier text,
    source text,
    properties jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT analytics_events_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT analytics_events_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    -- The column list keeps workspace_id: a plain SET NULL would clear the whole key.
    CONSTRAINT analytics_events_conversation_id_fkey
        FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id)
        ON DELETE SET NULL (conversation_id),
    CONSTRAINT analytics_events_message_id_fkey
        FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id)
        ON DELETE SET NULL (message_id)
);
CREATE INDEX analytics_events_conversation_id_idx ON analytics_events (workspace_id, conversation_id);
CREATE INDEX analytics_events_message_id_idx ON analytics_events (workspace_id, message_id);
CREATE INDEX analytics_events_occurred_at_idx ON analytics_events (workspace_id, occurred_at);

COMMENT ON TABLE analytics_events IS 'Events of a workspace; an event outlives its conversation.';
COMMENT ON COLUMN analytics_events.id IS 'Identity within the workspace.';
COMMENT ON COLUMN analytics_events.workspace_id IS 'The workspace.';
COMMENT ON COLUMN analytics_events.conversation_id IS 'The conversation; NULL after its deletion.';
COMMENT ON COLUMN analytics_events.message_id IS 'The message; NULL after its deletion.';
COMMENT ON COLUMN analytics_events.event_type IS 'Kind of event.';
COMMENT ON COLUMN analytics_events.user_identifier IS 'Id of the user in the embedding application.';
COMMENT ON COLUMN analytics_events.source IS 'Part of the platform that reported it.';
COMMENT ON COLUMN analytics_events.properties IS 'Details of the event, as a JSON object.';
COMMENT ON COLUMN analytics_events.occurred_at IS 'Time of the event.';
COMMENT ON COLUMN analytics_events.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('analytics_events');
SELECT workspace_db_refuse_unreadable('analytics_events');
