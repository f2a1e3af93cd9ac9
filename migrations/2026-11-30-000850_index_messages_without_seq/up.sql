-- The messages that the next append numbers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_without_seq_idx ON messages (workspace_id, conversation_id, created_at) WHERE seq IS NULL;
