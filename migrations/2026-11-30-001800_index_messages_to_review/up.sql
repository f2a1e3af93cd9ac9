-- The queue of answers that a person should read.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_needs_review_idx ON messages (workspace_id, created_at, id) WHERE needs_review;
