CREATE TYPE conversation_status AS ENUM ('open', 'pending', 'resolved', 'closed');
COMMENT ON TYPE conversation_status IS 'State of a conversation.';

CREATE TYPE message_role AS ENUM ('system', 'user', 'assistant', 'tool');
COMMENT ON TYPE message_role IS 'Author of a message.';

CREATE TABLE conversations (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    external_user_id text,
    title text,
    status conversation_status NOT NULL DEFAULT 'open',
    metadata jsonb NOT NULL DEFAULT '{}',
    first_message_at timestamptz,
    last_message_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    CONSTRAINT conversations_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT conversations_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE
);

COMMENT ON TABLE conversations IS 'Conversations between a visitor and the assistant of a workspace.';
COMMENT ON COLUMN conversations.id IS 'Identity within the workspace.';
COMMENT ON COLUMN conversations.workspace_id IS 'The workspace.';
COMMENT ON COLUMN conversations.external_user_id IS 'Id of the visitor in the embedding application.';
COMMENT ON COLUMN conversations.title IS 'Title for people.';
COMMENT ON COLUMN conversations.status IS 'State.';
COMMENT ON COLUMN conversations.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN conversations.first_message_at IS 'Time of the first message.';
COMMENT ON COLUMN conversations.last_message_at IS 'Time of the last message.';
COMMENT ON COLUMN conversations.created_at IS 'Time of insertion.';
COMMENT ON COLUMN conversations.updated_at IS 'Time of the last change, set by the statement that makes it.';
COMMENT ON COLUMN conversations.closed_at IS 'Time of closing.';

SELECT workspace_db_isolate('conversations');
SELECT workspace_db_refuse_unreadable('conversations');

CREATE TABLE messages (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    role message_role NOT NULL,
    content text NOT NULL,
    tokens integer,
    confidence double precision,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT messages_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT messages_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT messages_conversation_id_fkey
        FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT messages_tokens_check CHECK (tokens >= 0),
    CONSTRAINT messages_confidence_check CHECK (confidence BETWEEN 0 AND 1)
);
CREATE INDEX messages_conversation_id_idx ON messages (workspace_id, conversation_id, created_at);

COMMENT ON TABLE messages IS 'Messages of conversations.';
COMMENT ON COLUMN messages.id IS 'Identity within the workspace.';
COMMENT ON COLUMN messages.workspace_id IS 'The workspace.';
COMMENT ON COLUMN messages.conversation_id IS 'The conversation.';
COMMENT ON COLUMN messages.role IS 'Author.';
COMMENT ON COLUMN messages.content IS 'Text.';
COMMENT ON COLUMN messages.tokens IS 'Length in tokens of the model.';
COMMENT ON COLUMN messages.confidence IS 'Confidence of the assistant, 0 to 1.';
COMMENT ON COLUMN messages.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN messages.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('messages');
SELECT workspace_db_refuse_unreadable('messages');

CREATE TABLE feedback (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    message_id uuid NOT NULL,
    admin_user_id uuid,
    score smallint NOT NULL DEFAULT 0,
    label text,
    comment text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feedback_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT feedback_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT feedback_message_id_fkey
        FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT feedback_admin_user_id_fkey
        FOREIGN KEY (admin_user_id) REFERENCES admin_users (id) ON DELETE SET NULL,
    CONSTRAINT feedback_message_id_key UNIQUE (workspace_id, message_id),
    CONSTRAINT feedback_score_check CHECK (score BETWEEN -1 AND 1)
);
CREATE INDEX feedback_admin_user_id_idx ON feedback (admin_user_id);

COMMENT ON TABLE feedback IS 'Ratings of messages, at most one each.';
COMMENT ON COLUMN feedback.id IS 'Identity within the workspace.';
COMMENT ON COLUMN feedback.workspace_id IS 'The workspace.';
COMMENT ON COLUMN feedback.message_id IS 'The rated message.';
COMMENT ON COLUMN feedback.admin_user_id IS 'The administrator who rated it; NULL for a visitor.';
COMMENT ON COLUMN feedback.score IS 'Rating: -1 bad, 0 neutral, 1 good.';
COMMENT ON COLUMN feedback.label IS 'Category of the rating.';
COMMENT ON COLUMN feedback.comment IS 'Comment in free text.';
COMMENT ON COLUMN feedback.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('feedback');
SELECT workspace_db_refuse_unreadable('feedback');
