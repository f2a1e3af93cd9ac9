-- Lists of conversations, the newest first.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_created_at_idx ON conversations (workspace_id, created_at, id);
