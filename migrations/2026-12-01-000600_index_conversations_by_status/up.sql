-- Lists of the conversations that wait for a person, or are resolved.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_status_idx ON conversations (workspace_id, status, created_at);
