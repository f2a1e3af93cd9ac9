-- The siblings of a message, and the check that a deleted message has no children.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_parent_id_idx ON messages (workspace_id, conversation_id, parent_id);
