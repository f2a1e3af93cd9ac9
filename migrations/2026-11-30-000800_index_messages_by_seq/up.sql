-- A page of a conversation reads it in both directions. Messages without a number don't collide.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS messages_seq_key ON messages (workspace_id, conversation_id, seq);
