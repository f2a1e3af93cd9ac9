-- The messages that follow one, and the check that a deleted message has none. The conversation is last, since the parent tells it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_parent_id_idx ON messages (workspace_id, parent_id, conversation_id);
