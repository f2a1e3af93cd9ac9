-- A list of the conversations with this status. Under row-level security only the predicate of an index may know an enum, since
-- comparisons of enums are not leakproof. Most conversations are closed, and the index by time lists these.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_pending_idx ON conversations (workspace_id, created_at, id) WHERE status = 'pending';
