-- The messages that the next append numbers, in their order.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_without_seq_idx ON messages (workspace_id, conversation_id, created_at, id) WHERE seq IS NULL;
