-- The answers that are being made. Without the time, so that a longer lease changes no index.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_lease_idx ON messages (workspace_id, id) WHERE lease_token IS NOT NULL;
