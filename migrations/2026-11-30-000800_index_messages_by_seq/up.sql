-- A page of a conversation reads it in both directions. Partial: a change of a column of a whole unique index would lock the row as a
-- deletion does, and numbering a message would wait for its feedback.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS messages_seq_key ON messages (workspace_id, conversation_id, seq) WHERE seq IS NOT NULL;
